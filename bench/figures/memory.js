/** What stays flat however much there is to do. */
import { median, summary } from '../support/harness.js';

const KEYS = 1_000;
const MOST_MB = 250;

function memory(what, answers, most, detail) {
  const { ratio: mb, low, high } = summary(answers.map(({ rss }) => rss));
  return { what, measured: mb, low, high, unit: 'MB', target: `< ${most} MB`, met: mb < most, detail };
}

function rate(what, ours, theirs, least) {
  const { ratio, low, high } = summary(ours.map(({ rate: one }, i) => one / theirs[Math.min(i, theirs.length - 1)].rate));
  const of = (answers) => `${Math.round(median(answers.map(({ rate: one }) => one))).toLocaleString('en')}/s`;
  return {
    what,
    measured: ratio,
    low,
    high,
    unit: '×',
    target: `≥ ${least} ×`,
    met: ratio >= least,
    detail: `${of(ours)} against ${of(theirs)}`,
  };
}

export const backlog = {
  name: 'backlog',
  title: 'backlog of 1,000,000 commands',
  async run(session, redis) {
    const n = session.size(1_000_000);
    const { small, large } = await session.interleaved(
      { small: ['drain', { redis: redis.url, n: n / 20, keys: KEYS }], large: ['drain', { redis: redis.url, n, keys: KEYS }] },
      1,
    );
    const again = await session.run('drain', { redis: redis.url, n: n / 20, keys: KEYS });
    const halves = large.map(
      ({ firstHalf, secondHalf }) => `${firstHalf.toFixed(0)} MB in the first half, ${secondHalf.toFixed(0)} in the second`,
    );
    return [
      memory('memory of the node', large, MOST_MB, halves[0]),
      rate('rate ÷ the rate of a backlog a twentieth as long', large, [{ rate: (small[0].rate + again.rate) / 2 }], 0.9),
    ];
  },
};

export const manyKeys = {
  name: 'many-keys',
  title: '200,000 different keys',
  async run(session, redis) {
    const n = session.size(200_000);
    const { few, many } = await session.interleaved(
      { few: ['drain', { redis: redis.url, n, keys: KEYS }], many: ['drain', { redis: redis.url, n, keys: n }] },
      Math.min(3, session.rounds),
    );
    const halves = `${median(many.map(({ firstHalf }) => firstHalf)).toFixed(0)} MB in the first half, ${median(many.map(({ secondHalf }) => secondHalf)).toFixed(0)} in the second`;
    return [memory('memory of the node', many, MOST_MB, halves), rate('rate ÷ the rate over 1,000 keys', many, few, 0.7)];
  },
};
