/** The counter as errand's actors, and the totals as they stand in Redis afterwards. */
import { z } from 'zod';
import { Actor, command, event } from '../../dist/src/index.js';
import { Keys } from '../../dist/src/log/keys.js';
import { shardOf } from '../../dist/src/log/shard.js';

const data = z.object({ key: z.string(), amount: z.number().int() });
const result = z.object({ total: z.number() });

function counter(type, pipelined) {
  const Add = command(`add-to-${type}`, { to: type, key: (d) => d.key, data, result });
  class Counter extends Actor {
    static actorType = type;
    static pipelined = pipelined;
    static handlers = { add: Add };
    initialState() {
      return { total: 0 };
    }
    add({ amount }) {
      this.state.total += amount;
      return { total: this.state.total };
    }
  }
  return { Add, Counter };
}

/** `counter` waits for each commit of a key, `fast` is pipelined. */
export const counters = { counter: counter('counter', false), fast: counter('fast', true) };

export const Counted = event('counted', { key: (d) => d.key, data });

/** Actor types that each count the same fact. */
export function subscribers(count, onCounted) {
  return Array.from({ length: count }, (_, i) => {
    class Subscriber extends Actor {
      static actorType = `subscriber${i}`;
      static subscriptions = { counted: { event: Counted, from: 'start' } };
      initialState() {
        return { total: 0 };
      }
      counted({ amount }) {
        this.state.total += amount;
        onCounted();
      }
    }
    return Subscriber;
  });
}

const PIECE = 1_000;

/** Every key's committed total, read past errand. */
export async function committedTotals(client, { name, shards, type, keys }) {
  const layout = new Keys(name, shards);
  const totals = new Map();
  for (let at = 0; at < keys.length; at += PIECE) {
    const piece = keys.slice(at, at + PIECE);
    const texts = await client.mget(piece.map((key) => layout.state(type, shardOf(key, shards), key)));
    texts.forEach((text, i) => {
      if (text !== null) totals.set(piece[i], JSON.parse(text.slice(text.indexOf(' ') + 1)).total);
    });
  }
  return totals;
}
