/** How long one takes, on an idle system. */
import { median, summary } from '../support/harness.js';

function atMost(what, { ratio, low, high }, most, detail) {
  return { what, measured: ratio, low, high, unit: '×', target: `≤ ${most} ×`, met: ratio <= most, detail };
}

const micros = (answers, whose, p) => `${Math.round(median(answers.map((answer) => answer[whose][p])))} µs`;

export const ask = {
  name: 'ask',
  title: '`ask`, one at a time, idle system',
  async run(session, redis) {
    const { ask: answers } = await session.interleaved({ ask: ['latency', { redis: redis.url, n: session.size(8_000), verb: 'ask' }] });
    const ratio = (p) => summary(answers.map(({ ours, theirs }) => ours[p] / theirs[p]));
    const detail = (p) => `ask ${micros(answers, 'ours', p)}, PING ${micros(answers, 'theirs', p)}`;
    return [atMost("p50 ÷ PING's", ratio('p50'), 4, detail('p50')), atMost("p99 ÷ PING's", ratio('p99'), 3, detail('p99'))];
  },
};

export const tell = {
  name: 'tell',
  title: '`tell`, one by one, awaited',
  async run(session, redis) {
    const { tell: answers } = await session.interleaved({ tell: ['latency', { redis: redis.url, n: session.size(8_000), verb: 'tell' }] });
    const { ratio, low, high } = summary(answers.map(({ ours, theirs }) => theirs.p50 / ours.p50));
    const detail = `tell ${micros(answers, 'ours', 'p50')}, XADD ${micros(answers, 'theirs', 'p50')} (p50)`;
    return [{ what: 'rate ÷ an awaited XADD', measured: ratio, low, high, unit: '×', target: '≥ 0.8 ×', met: ratio >= 0.8, detail }];
  },
};

export const start = {
  name: 'start',
  title: 'start to first command handled',
  async run(session, redis) {
    const { memory, real } = await session.interleaved({ memory: ['start', { redis: 'memory:' }], real: ['start', { redis: redis.url }] });
    const within = (what, values, most) => {
      const { ratio: ms, low, high } = summary(values);
      return { what, measured: ms, low, high, unit: 'ms', target: `≤ ${most} ms`, met: ms <= most, detail: '' };
    };
    const first = (answers) => answers.map(({ first: ms }) => ms);
    return [
      within('in process', first(memory), 300),
      within('with Redis', first(real), 500),
      within(
        'import of errand, cold',
        [...memory, ...real].map(({ imported }) => imported),
        200,
      ),
    ];
  },
};
