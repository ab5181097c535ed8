/** Rates, as ratios to what a user would pick instead. */
import { spawnSync } from 'node:child_process';
import { median, summary } from '../support/harness.js';

const KEYS = 1_000;
const rates = (answers) => answers.map(({ rate }) => rate);
const ratios = (ours, theirs) => summary(ours.map(({ rate }, i) => rate / theirs[i].rate));
const cpuRatio = (ours, theirs) => median(ours.map(({ cpu }) => cpu)) / median(theirs.map(({ cpu }) => cpu));

/** A row of the table. `least`: the ratio to reach. */
function row(what, { ratio, low, high }, least, detail = '') {
  return { what, measured: ratio, low, high, unit: '×', target: `≥ ${least} ×`, met: ratio >= least, detail };
}

function rateOf(answers) {
  const redis = median(answers.map(({ redisCpu }) => redisCpu));
  return `${Math.round(median(rates(answers))).toLocaleString('en')}/s at ${median(answers.map(({ cpu }) => cpu)).toFixed(1)} µs of CPU${redis > 0 ? ` + ${redis.toFixed(1)} of Redis'` : ''}`;
}

/** Redis' own limit: what redis-benchmark reaches with the raw loop's writes, one connection and pipelines of 500. */
function redisLimit(port, n) {
  const data = '{"key":"k12","amount":3}';
  const commands = [
    ['XADD', 'limit:commands', '*', 'id', 'k-12345', 'key', 'k12', 'data', data],
    ['SET', 'limit:state:k12', '{"total":12}'],
    ['XADD', 'limit:results', '*', 'id', 'k-12345', 'key', 'k12', 'data', '{"total":12}'],
    ['XACK', 'limit:commands', 'workers', '1-1'],
  ];
  let seconds = 0;
  for (const command of commands) {
    const args = ['-p', String(port), '-c', '1', '-P', '500', '-n', String(n), '--csv', ...command];
    const { stdout, status } = spawnSync('redis-benchmark', args, { encoding: 'utf8', timeout: 60_000 });
    const rate = Number(/"(\d+\.\d+)"/.exec(stdout?.trim().split('\n').at(-1) ?? '')?.[1]);
    if (status !== 0 || !(rate > 0)) return undefined;
    seconds += 1 / rate;
  }
  return 1 / seconds;
}

export const throughput = {
  name: 'throughput',
  title: 'throughput, full semantics, one process, real Redis',
  async run(session, redis) {
    // Each for some seconds, after its code is compiled: see bench/NOTES.md.
    const sized = (n) => ({ redis: redis.url, keys: KEYS, n: session.size(n), warmup: session.size(n) / 2 });
    const answers = await session.interleaved({
      errand: ['errand', sized(200_000)],
      raw: ['raw-loop', sized(200_000)],
      moleculer: ['moleculer-channels', sized(40_000)],
      fifty: ['bullmq', { ...sized(40_000), concurrency: 50 }],
      one: ['bullmq', { ...sized(10_000), concurrency: 1 }],
    });
    const { errand, raw, moleculer, fifty, one } = answers;
    const limit = redisLimit(redis.port, session.size(200_000));
    const cpu = `errand ${rateOf(errand)}; raw loop ${rateOf(raw)}; CPU ratio ${cpuRatio(errand, raw).toFixed(2)}`;
    return [
      row('÷ the raw loop', ratios(errand, raw), 1, cpu),
      row('÷ BullMQ, concurrency 50', ratios(errand, fifty), 5, rateOf(fifty)),
      row('÷ BullMQ, concurrency 1', ratios(errand, one), 5, rateOf(one)),
      { ...row('÷ @moleculer/channels', ratios(errand, moleculer), 1, rateOf(moleculer)), target: '', met: undefined },
      limit === undefined
        ? { what: "÷ Redis' own limit", measured: undefined, target: '', met: undefined, detail: 'redis-benchmark is not on PATH' }
        : {
            ...row("÷ Redis' own limit", summary(errand.map(({ rate }) => rate / limit)), 0),
            target: '',
            met: undefined,
            detail: `redis-benchmark, the four writes of the raw loop: ${Math.round(limit).toLocaleString('en')}/s`,
          },
    ];
  },
};

export const hotKey = {
  name: 'hot-key',
  title: 'the same on a single hot key',
  async run(session, redis) {
    const n = session.size(100_000);
    const few = session.size(20_000);
    const common = { redis: redis.url };
    const { wide, hot, plain } = await session.interleaved({
      wide: ['errand', { ...common, n, warmup: n / 2, keys: KEYS, actor: 'fast' }],
      hot: ['errand', { ...common, n, warmup: n / 2, keys: 1, actor: 'fast' }],
      plain: ['errand', { ...common, n: few, warmup: few / 2, keys: 1, actor: 'counter' }],
    });
    const ask = await session.run('latency', { ...common, n: session.size(4_000), verb: 'commit' });
    const trip = ask.ours.p50 / 1e6;
    return [
      row('pipelined, ÷ the rate over 1,000 keys', ratios(hot, wide), 0.5, `${rateOf(hot)}; over 1,000 keys ${rateOf(wide)}`),
      row(
        'not pipelined, × (one commit round trip)',
        summary(plain.map(({ rate }) => rate * trip)),
        0.5,
        `${rateOf(plain)}; one commit takes ${(trip * 1e6).toFixed(0)} µs`,
      ),
    ];
  },
};

export const inProcess = {
  name: 'in-process',
  title: 'in-process Redis, full semantics',
  async run(session, redis) {
    const n = session.size(200_000); // as over a real one above
    const common = { n, warmup: n / 2, keys: KEYS };
    const { real, small, large } = await session.interleaved(
      {
        real: ['errand', { ...common, redis: redis.url }],
        small: ['errand', { ...common, redis: 'memory:', stored: session.size(10_000) }],
        large: ['errand', { ...common, redis: 'memory:', stored: session.size(1_000_000) }],
      },
      Math.min(3, session.rounds),
    );
    return [
      row('÷ the rate on a real Redis', ratios(small, real), 0.8, `${rateOf(small)}; real ${rateOf(real)}`),
      row('1,000,000 entries stored ÷ 10,000', ratios(large, small), 0.95, rateOf(large)),
    ];
  },
};

export const alone = {
  name: 'runtime-alone',
  title: 'runtime alone (log replaced by nothing)',
  async run(session) {
    const n = session.size(300_000);
    const runs = {
      ours: ['runtime-alone', { n, warmup: n / 2, keys: KEYS }],
      nact: ['nact-alone', { n: n * 4, warmup: n, keys: KEYS }],
      json: ['nact-alone', { n, warmup: n / 2, keys: KEYS, json: true }],
    };
    const { ours, nact, json } = await session.interleaved(runs);
    return [
      row("÷ nact's own dispatch rate", ratios(ours, nact), 0.5, `${rateOf(ours)}; nact ${rateOf(nact)}`),
      { ...row('÷ nact with the same JSON and validation', ratios(ours, json), 0.5, rateOf(json)), target: '', met: undefined },
    ];
  },
};

export const facts = {
  name: 'facts',
  title: 'facts to 4 subscribers',
  async run(session, redis) {
    const n = session.size(100_000);
    const { delivered, commands } = await session.interleaved({
      delivered: ['facts', { redis: redis.url, n: n / 2, warmup: n / 8, keys: KEYS, count: 4 }],
      commands: ['errand', { redis: redis.url, n, warmup: n / 2, keys: KEYS }],
    });
    const cost = summary(delivered.map(({ rate }, i) => commands[i].rate / rate));
    const detail = `a delivery: ${rateOf(delivered)}; a command: ${rateOf(commands)}`;
    return [
      {
        what: 'cost of a delivery ÷ cost of a command',
        measured: cost.ratio,
        ...cost,
        unit: '×',
        target: '≤ 1.5 ×',
        met: cost.ratio <= 1.5,
        detail,
      },
    ];
  },
};
