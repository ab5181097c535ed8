import test from 'ava';
import { filter, firstValueFrom } from 'rxjs';
import { fairOwner } from '../../src/runtime/fair-share.js';
import { Append, listActor } from '../support/shop.js';
import { onBoth } from '../support/stores.js';

const nodes = (count: number, types = ['list']) => Array.from({ length: count }, (_, i) => ({ node: `n${i}`, types }));
const owners = (live: ReturnType<typeof nodes>, shards = 240): (string | undefined)[] =>
  Array.from({ length: shards }, (_, shard) => fairOwner('list', shard, live));

test('every live node that hosts the type gets about its share', (t) => {
  for (const count of [1, 2, 3, 5]) {
    const shares = new Map<string | undefined, number>();
    for (const owner of owners(nodes(count))) shares.set(owner, (shares.get(owner) ?? 0) + 1);
    t.is(shares.size, count);
    for (const share of shares.values()) t.true(share > 240 / count / 2 && share < (240 / count) * 2, `${share} of 240 among ${count}`);
  }
});

test('when a node goes only its own share moves, and the order in which nodes are seen does not matter', (t) => {
  const before = owners(nodes(4));
  const after = owners(nodes(4).filter(({ node }) => node !== 'n2'));
  before.forEach((owner, shard) => {
    if (owner !== 'n2') t.is(after[shard], owner);
  });
  t.deepEqual(owners(nodes(4).reverse()), before);
});

test('a node that does not host the type owns none of it', (t) => {
  t.deepEqual(new Set(owners([...nodes(2), { node: 'other', types: ['count'] }])), new Set(['n0', 'n1']));
  t.is(fairOwner('list', 0, nodes(2, ['count'])), undefined);
});

onBoth(
  'a node that joins is handed its share, and when one stops the other takes everything over; no key loses its order',
  { actors: [listActor()], shards: 8, lease: '2s' },
  async (t, { system, start, pass }) => {
    const keys = Array.from({ length: 16 }, (_, i) => `k${i}`);
    const told: string[] = [];
    const tell = async (word: string): Promise<void> => {
      told.push(word);
      await Promise.all(keys.map((key) => system.tell(Append, { key, word })));
    };
    await tell('alone');
    const handed = firstValueFrom(system.signals.pipe(filter(({ kind }) => kind === 'partition-released')));
    const second = await start({ actors: [listActor()], shards: 8, lease: '2s' });
    const joined = firstValueFrom(second.signals.pipe(filter(({ kind }) => kind === 'partition-acquired')));
    for (let i = 0; i < 5; i += 1) await tell(`together ${i}`);
    await pass('3s');
    await handed;
    await joined;
    await tell('shared');
    const share = (): readonly number[] => second.supervisors.children[0]?.partitions ?? [];
    t.true(share().length > 0 && share().length < 8, `the second owns ${share().join(', ')}`);

    const taken = firstValueFrom(second.signals.pipe(filter(({ kind }) => kind === 'partition-acquired' && share().length === 8)));
    const client = await start({ actors: [], shards: 8 });
    await system.stop();
    await pass('3s');
    await taken;
    told.push('heir');
    await Promise.all(keys.map((key) => client.tell(Append, { key, word: 'heir' })));
    const idle = second.idle();
    await pass('1s');
    await idle;
    for (const key of keys) t.deepEqual(await second.state(listActor(), key), { words: told });
  },
);
