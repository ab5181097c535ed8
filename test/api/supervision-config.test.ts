/** The three strategies and an escalation through two levels, from a config file alone. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import test from 'ava';
import { filter, firstValueFrom } from 'rxjs';
import { z } from 'zod';
import { ActorSystem, command, type Signal } from '../../src/index.js';
import { onEachStore } from '../support/redis-url.js';

const folder = mkdtempSync(join(tmpdir(), 'errand-supervision-'));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

const TYPES = ['sales', 'warehouse', 'carrier', 'email', 'text', 'print'];

/** Each actor type has a command of its own, `<type>-breaks`; its first attempt fails, the one after the restart succeeds. */
const MODULE = `
import { Actor, command, ErrandError } from ${JSON.stringify(resolve('dist/src/index.js'))};
const anything = { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } };
class Broken extends ErrandError {}
const breaks = (type) => class extends Actor {
  static actorType = type;
  static handlers = { break: command(type + '-breaks', { to: type, key: (d) => d.key, data: anything }) };
  break(_data, ctx) { if (ctx.attempt === 1) throw new Broken('BROKEN', type + ' is broken'); }
};
export const actors = ${JSON.stringify(TYPES)}.map(breaks);
export const [Sales, Warehouse, Carrier, Email, Text, Print] = actors;
`;

const config = (url: string): string => `
name: strategies
redis: ${url}
shards: 1
modules: [./actors.mjs]
supervisors:
  - name: shop
    strategy: one-for-one
    intensity: 2
    period: 1m
    backoff: { min: 1ms, max: 1ms }
    children:
      - { actor: sales, directives: { escalate: [BROKEN] } }
    supervisors:
      - name: parcels
        strategy: one-for-all
        intensity: 1
        period: 1m
        backoff: { min: 1ms, max: 1ms }
        children:
          - { actor: warehouse, directives: { escalate: [BROKEN] } }
          - { actor: carrier, directives: { escalate: [BROKEN] } }
      - name: messages
        strategy: rest-for-one
        backoff: { min: 1ms, max: 1ms }
        children:
          - { actor: email, directives: { escalate: [BROKEN] } }
          - { actor: text, directives: { escalate: [BROKEN] } }
          - { actor: print, directives: { escalate: [BROKEN] } }
`;

onEachStore('a config file is enough for three strategies and an escalation through two levels', async (t, { url }) => {
  writeFileSync(join(folder, 'actors.mjs'), MODULE);
  const file = join(folder, `${new URL(url).port}.yaml`);
  writeFileSync(file, config(url));
  const system = await ActorSystem.fromConfig(file);
  const told: string[] = [];
  system.signals.subscribe((signal) => {
    if (signal.kind === 'supervisor-failed') told.push(`${signal.supervisor} fails`);
    if (signal.kind === 'supervisor-restarts') told.push(`${signal.supervisor} restarts ${signal.restarts.join(', ')}`);
  });
  let keys = 0;
  const breaking = (type: string): Promise<unknown> => {
    const Breaks = command(`${type}-breaks`, { to: type, key: (d) => d.key, data: z.object({ key: z.string() }) });
    return system.tell(Breaks, { key: `k${(keys += 1)}` });
  };
  const breaks = async (type: string): Promise<string[]> => {
    told.length = 0;
    await breaking(type);
    await system.idle();
    return [...told];
  };

  t.deepEqual(await breaks('sales'), ['shop restarts sales'], 'one-for-one');
  t.deepEqual(await breaks('warehouse'), ['parcels restarts warehouse, carrier'], 'one-for-all');
  t.deepEqual(await breaks('text'), ['messages restarts text, print'], 'rest-for-one: the one before stays');
  t.deepEqual(await breaks('carrier'), ['parcels fails', 'shop restarts warehouse, carrier'], 'past its intensity, one level up');
  t.deepEqual(await breaks('warehouse'), ['parcels restarts warehouse, carrier'], 'a restarted supervisor begins anew');
  t.like(system.supervisors.supervisors[0], { name: 'shop', state: 'running', escalations: 2 });

  const stopped = firstValueFrom(
    system.signals.pipe(filter((signal): signal is Signal & { kind: 'stopped' } => signal.kind === 'stopped')),
  );
  told.length = 0;
  await breaking('sales');
  const { reason } = await stopped;
  t.deepEqual(told, ['shop fails']);
  t.is(reason?.code, 'ESCALATED');
  t.is(reason?.message, 'supervisor shop failed after 3 escalations; the last: sales/k6: BROKEN: sales is broken');
});
