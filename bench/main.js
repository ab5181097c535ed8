/**
 * errand beside what a user would pick instead, on this machine, in one run.
 *
 *   npm run bench [-- <figure>…] [--rounds <n>] [--scale <0…1>] [--no-file]
 *
 * Prints each figure beside its target, medians of runs that take turns, with the lowest and highest; says when the machine was too noisy to
 * believe them. Exits 1 when an outcome was wrong; a figure that is missed stays in the table, and NOTES.md says what stands in its way.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { redisServerOnPath, startRedisServer } from '../dist/test/support/redis-server.js';
import { ask, start, tell } from './figures/latency.js';
import { backlog, manyKeys } from './figures/memory.js';
import { alone, facts, hotKey, inProcess, throughput } from './figures/throughput.js';
import { installPeers, Session } from './support/harness.js';

const FIGURES = [throughput, hotKey, ask, tell, inProcess, alone, backlog, manyKeys, facts, start];
const here = fileURLToPath(new URL('.', import.meta.url));

function format(value, unit) {
  if (value === undefined) return '–';
  return unit === '×' ? `${value.toFixed(2)} ×` : `${value.toFixed(0)} ${unit}`;
}

function printed(rows) {
  const cells = [['figure', '', 'measured', 'lowest … highest', 'target', '']];
  for (const { title, what, measured, low, high, unit, target, met } of rows) {
    const range = low === undefined ? '' : `${format(low, unit)} … ${format(high, unit)}`;
    cells.push([title, what, format(measured, unit), range, target, met === undefined ? '' : met ? 'met' : 'MISSED']);
  }
  const widths = cells[0].map((_, column) => Math.max(...cells.map((line) => line[column].length)));
  return cells
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column]))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function versionOf(name) {
  for (const folder of [here, `${here}../`]) {
    const path = `${folder}node_modules/${name}/package.json`;
    if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8')).version;
  }
  return undefined;
}

function machine() {
  const [cpu] = cpus();
  const server = spawnSync('redis-server', ['--version'], { encoding: 'utf8' }).stdout;
  const packages = ['ioredis', 'nact', 'bullmq', '@moleculer/channels', 'moleculer', 'zod'];
  return {
    date: new Date().toISOString(),
    cpu: cpu?.model.trim(),
    cores: cpus().length,
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    node: process.version,
    redis: /v=(\S+)/.exec(server)?.[1],
    packages: Object.fromEntries(packages.map((name) => [name, versionOf(name)])),
    commit: spawnSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: here, encoding: 'utf8' }).stdout.trim(),
    load: loadavg().map((load) => Number(load.toFixed(2))),
  };
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    scale: { type: 'string', default: '1' },
    'no-file': { type: 'boolean', default: false },
  },
});
const unknown = positionals.filter((name) => !FIGURES.some((figure) => figure.name === name));
if (unknown.length > 0 || !(Number(values.rounds) >= 1) || !(Number(values.scale) > 0)) {
  console.error(
    `${unknown.length > 0 ? `no figure is called ${unknown.join(', ')}` : 'rounds and scale are above 0'}; the figures are ${FIGURES.map(({ name }) => name).join(', ')}`,
  );
  process.exit(2);
}
if (!redisServerOnPath()) {
  console.error('redis-server is not on PATH; there is nothing to compare with');
  process.exit(2);
}
installPeers(here, existsSync(`${here}node_modules/bullmq`));
const about = machine();
const session = new Session({ rounds: Number(values.rounds), scale: Number(values.scale), log: (text) => console.log(text) });
const rows = [];
for (const figure of FIGURES) {
  if (positionals.length > 0 && !positionals.includes(figure.name)) continue;
  console.log(`${figure.title} …`);
  const redis = await startRedisServer(); // each figure begins with an empty one
  try {
    for (const row of await figure.run(session, redis)) rows.push({ figure: figure.name, title: figure.title, ...row });
  } catch (error) {
    session.faults.push(`${figure.name}: ${error.message}`);
  } finally {
    await redis.stop();
  }
}
const { noise, faults } = session;
console.log(`\n${printed(rows)}\n`);
for (const { title, what, detail } of rows) if (detail) console.log(`${title}, ${what}: ${detail}`);
console.log(`\nmachine: ${about.cores} × ${about.cpu}, Node ${about.node}, Redis ${about.redis}`);
console.log(
  noise.noisy
    ? `The machine was TOO NOISY: a core was to be had ${(100 / noise.typical).toFixed(0)} % of the time. Believe ratios of CPU, not rates.`
    : `Noise: a core was to be had ${(100 / noise.typical).toFixed(0)} % of the time (worst ${(100 / noise.worst).toFixed(0)} %).`,
);
if (!values['no-file']) {
  mkdirSync(`${here}results`, { recursive: true });
  const file = `${here}results/${about.date.slice(0, 16).replace(':', '')}.json`;
  writeFileSync(file, `${JSON.stringify({ ...about, rounds: session.rounds, scale: session.scale, noise, faults, rows }, null, 2)}\n`);
  console.log(`written: ${file.slice(here.length)}`);
}
for (const fault of faults) console.error(`WRONG: ${fault}`);
process.exit(faults.length > 0 ? 1 : 0);
