import test from 'ava';
import type { Link } from '../../src/log/connection.js';
import { PAYLOAD_BYTES } from '../../src/message/limits.js';
import { StateLoader } from '../../src/runtime/state-loader.js';
import { turns } from '../support/hooked.js';

const LARGE = PAYLOAD_BYTES / 4;

/** A link whose replies come when they are let go, with states of a size. */
function slowLink(bytes: number) {
  const asked: { readonly keys: readonly string[]; readonly answer: (failure?: Error) => void }[] = [];
  const send = (command: string, [keys]: readonly (readonly string[])[]): Promise<unknown> =>
    new Promise((resolve, reject) => {
      if (command === 'EXISTS') return resolve(keys?.length);
      const answer = (failure?: Error): void => {
        if (failure !== undefined) reject(failure);
        else resolve(keys?.map(() => `1 ${'x'.repeat(bytes)}`));
      };
      asked.push({ keys: keys ?? [], answer });
    });
  return { link: { send } as unknown as Link, asked };
}

function want(loader: StateLoader, count: number, prefix = 'k') {
  const seen = { loaded: [] as string[], failed: [] as string[] };
  for (let i = 0; i < count; i += 1) {
    const stateKey = `${prefix}${i}`;
    loader.load({
      stateKey,
      wanted: true,
      loaded: () => seen.loaded.push(stateKey),
      notLoaded: () => seen.failed.push(stateKey),
      spoiled: () => undefined,
    });
  }
  return seen;
}

test('states under way are never more than a reply may hold, however many are wanted', async (t) => {
  const { link, asked } = slowLink(LARGE - 100);
  const loader = new StateLoader(link);
  const seen = want(loader, 300);
  for (let round = 0; seen.loaded.length < 300; round += 1) {
    await turns(5);
    const underWay = asked.splice(0);
    const states = underWay.reduce((sum, { keys }) => sum + keys.length, 0);
    t.true(states > 0 && states * LARGE <= PAYLOAD_BYTES, `${states} in round ${round}`);
    for (const { answer } of underWay) answer();
    await turns(5);
  }
  t.deepEqual(
    seen.loaded,
    Array.from({ length: 300 }, (_, i) => `k${i}`),
  );
});

test('small states come by the thousand once they are known to be small', async (t) => {
  const { link, asked } = slowLink(20);
  const loader = new StateLoader(link);
  const sizes: number[] = [];
  for (let round = 0; round < 14; round += 1) {
    const seen = want(loader, 1_000, `${round}-`);
    while (seen.loaded.length < 1_000) {
      await turns(5);
      const [one] = asked.splice(0);
      sizes.push(one?.keys.length ?? 0);
      one?.answer();
      await turns(5);
    }
  }
  t.is(sizes[0], 1);
  t.is(sizes.at(-1), 1_000);
});

test('a reply that does not come leaves the others to be asked for', async (t) => {
  const { link, asked } = slowLink(20);
  const seen = want(new StateLoader(link), 20);
  await turns(5);
  const first = asked.splice(0);
  first[0]?.answer(new Error('lost'));
  await turns(5);
  const failed = first[0]?.keys.length ?? 0;
  t.is(seen.failed.length, failed);
  while (seen.loaded.length < 20 - failed) {
    const next = asked.splice(0);
    t.true(next.length > 0);
    for (const { answer } of next) answer();
    await turns(5);
  }
  t.is(seen.failed.length + seen.loaded.length, 20);
});

test('states that nobody wants any more are not asked for', async (t) => {
  const { link, asked } = slowLink(20);
  const loader = new StateLoader(link);
  let wanted = true;
  for (let i = 0; i < 10; i += 1) {
    const one = { stateKey: `old${i}`, loaded: () => undefined, notLoaded: () => undefined, spoiled: () => undefined };
    loader.load({
      ...one,
      get wanted() {
        return wanted;
      },
    });
  }
  await turns(5);
  wanted = false;
  const seen = want(loader, 3, 'new');
  const keys: string[] = [];
  while (seen.loaded.length < 3) {
    for (const one of asked.splice(0)) {
      keys.push(...one.keys);
      one.answer();
    }
    await turns(5);
  }
  t.deepEqual(keys, ['old0', 'new0', 'new1', 'new2']);
});
