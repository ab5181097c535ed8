/** Runs measuring programs as child processes, by turns, and makes medians and ratios of what they say. */
import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const CHILD_WITHIN_MS = 600_000; // a million commands on a busy machine
const PROBE_LOOPS = 30_000_000;
/** wall time ÷ CPU time of a loop that does nothing but count; 1 when nobody else wanted the core */
const NOISY_FROM = 1.15;

/** One run of a measuring program. @throws Error when it fails, or takes longer than `withinMs` */
export function measure(program, options, withinMs = CHILD_WITHIN_MS) {
  return new Promise((resolve, reject) => {
    const path = fileURLToPath(new URL(`../measure/${program}.js`, import.meta.url));
    const child = spawn(process.execPath, ['--expose-gc', path, JSON.stringify(options)], { stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    let err = '';
    child.stdout.on('data', (data) => {
      out += data;
    });
    child.stderr.on('data', (data) => {
      err += data;
    });
    const late = setTimeout(() => child.kill('SIGKILL'), withinMs);
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearTimeout(late);
      if (code === 0) return resolve(JSON.parse(out.trim().split('\n').at(-1)));
      const why = signal === null ? `ended with ${code}` : `was ended by ${signal} (limit ${withinMs} ms)`;
      reject(new Error(`${program} ${JSON.stringify(options)} ${why}: ${err.slice(-2_000)}`));
    });
  });
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The median of ratios and how far they lie apart. */
export function summary(ratios) {
  return { ratio: median(ratios), low: Math.min(...ratios), high: Math.max(...ratios) };
}

/** What is learnt along the way that no single figure says: wrong outcomes, and how busy the machine was. */
export class Session {
  faults = [];
  probes = [];

  constructor({ rounds, scale, log }) {
    this.rounds = rounds;
    /** 1: the full size; a trial run is smaller */
    this.scale = scale;
    this.log = log;
  }

  size(n) {
    return Math.max(400, Math.round((n * this.scale) / 40) * 40); // so that halves and tenths are whole
  }

  async run(program, options) {
    this.probe();
    const answer = await measure(program, options);
    for (const fault of answer.faults) this.faults.push(`${program}: ${fault}`);
    const { rate, cpu, redisCpu } = answer;
    if (rate !== undefined) {
      const shares = `${cpu.toFixed(1)} µs of CPU each${redisCpu > 0 ? `, ${redisCpu.toFixed(1)} µs of Redis'` : ''}`;
      this.log(`  ${program}: ${Math.round(rate).toLocaleString('en')} a second, ${shares}`);
    } else if (answer.ours !== undefined) {
      const { ours, theirs } = answer;
      this.log(
        `  ${program}: p50 ${ours.p50.toFixed(0)} µs against ${theirs.p50.toFixed(0)}, p99 ${ours.p99.toFixed(0)} against ${theirs.p99.toFixed(0)}`,
      );
    } else this.log(`  ${program}: imported in ${answer.imported.toFixed(0)} ms, first command after ${answer.first.toFixed(0)} ms`);
    return answer;
  }

  /** Each of `runs` (name → [program, options]) once a round, in an order that turns. */
  async interleaved(runs, rounds = this.rounds) {
    const names = Object.keys(runs);
    const answers = Object.fromEntries(names.map((name) => [name, []]));
    for (let round = 0; round < rounds; round += 1) {
      for (const name of round % 2 === 0 ? names : [...names].reverse()) answers[name].push(await this.run(...runs[name]));
    }
    return answers;
  }

  /** How much of a core this process gets right now. */
  probe() {
    const before = process.cpuUsage();
    const began = performance.now();
    let sum = 0;
    for (let i = 0; i < PROBE_LOOPS; i += 1) sum += i & 7;
    const wall = performance.now() - began;
    const { user, system } = process.cpuUsage(before);
    if (sum >= 0) this.probes.push((wall * 1000) / (user + system));
  }

  get noise() {
    const typical = this.probes.length === 0 ? 1 : median(this.probes);
    return { typical, worst: Math.max(1, ...this.probes), noisy: typical >= NOISY_FROM };
  }
}

/** Installs the peers where they are missing. */
export function installPeers(folder, present) {
  if (present) return;
  console.log('installing the peers into bench/node_modules …');
  const { status } = spawnSync('npm', ['ci', '--prefix', folder, '--no-audit', '--no-fund'], {
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  if (status !== 0) throw new Error('npm ci in bench/ failed; the peers are needed to compare with');
}
