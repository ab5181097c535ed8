/**
 * nact's own dispatch: the same counters as plain nact actors, with no log and no envelope, and as many messages under way. With `json` the
 * messages come as texts and are validated, and state and result are made into texts, as errand must.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { dispatch, spawn, start } from 'nact';
import { z } from 'zod';
import { report, timed } from '../support/child.js';
import { commandAt, expectedTotals, wrongTotals } from '../support/work.js';

const UNDER_WAY = 1_000;
const schema = z.object({ key: z.string(), amount: z.number().int() });

await report(async ({ n, warmup, keys, json = false }) => {
  const system = start('nact-alone');
  const totals = new Map();
  const actors = new Map();
  let handled = 0;
  const actorOf = (key) => {
    let actor = actors.get(key);
    if (actor === undefined) {
      const add = (state = { total: 0 }, { amount }) => {
        const next = { total: state.total + amount };
        totals.set(key, next.total);
        handled += 1;
        return next;
      };
      let texts = 0;
      const addText = (state, text) => {
        const next = add(state, schema.parse(JSON.parse(text)));
        texts += JSON.stringify(next).length + JSON.stringify({ total: next.total }).length;
        return texts > 0 ? next : undefined;
      };
      actor = spawn(system, json ? addText : add, key);
      actors.set(key, actor);
    }
    return actor;
  };
  const run = async (count, prefix) => {
    handled = 0;
    let sent = 0;
    while (sent < count || handled < sent) {
      for (const most = Math.min(count, handled + UNDER_WAY); sent < most; sent += 1) {
        const command = commandAt(sent, keys, prefix);
        dispatch(actorOf(command.key), json ? JSON.stringify(command) : command);
      }
      await turn();
    }
  };
  await run(warmup, 'w');
  const answer = await timed(n, undefined, () => run(n, 'k'));
  return { ...answer, faults: wrongTotals(expectedTotals(n, keys), totals).slice(0, 5) };
});
