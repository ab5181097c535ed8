/** nact's gaps, closed at its door. */
import test from 'ava';
import { Branch } from '../../src/runtime/inbox.js';
import { turns } from '../support/hooked.js';

let roots = 0;
const root = (): Branch => Branch.root(`inbox-test-${process.pid}-${(roots += 1)}`);

test('an inbox takes one message at a time, in order', async (t) => {
  const top = root();
  const seen: string[] = [];
  const inbox = top.branch('type').inbox<string>('key', async (word) => {
    seen.push(`${word} begins`);
    await turns(3);
    seen.push(`${word} ends`);
  });
  for (const word of ['one', 'two']) inbox.send(word);
  await turns(30);
  t.deepEqual(seen, ['one begins', 'one ends', 'two begins', 'two ends']);
  top.stop();
});

test('a receiver that throws or rejects, against the rule, loses no message behind it and tells nobody above it', async (t) => {
  const top = root();
  const seen: string[] = [];
  const branch = top.branch('type');
  const inbox = branch.inbox<string>('key', (word) => {
    seen.push(word);
    if (word === 'throws') throw new Error('thrown');
    return word === 'rejects' ? Promise.reject(new Error('rejected')) : undefined;
  });
  const neighbour = branch.inbox<string>('neighbour', (word) => void seen.push(word));
  for (const word of ['throws', 'rejects', 'last']) inbox.send(word);
  await turns(30);
  neighbour.send('neighbour');
  await turns(10);
  t.deepEqual(seen, ['throws', 'rejects', 'last', 'neighbour']);
  top.stop();
});

test('a fault in an inbox that was stopped meanwhile is no unhandled rejection', async (t) => {
  const top = root();
  const unhandled: unknown[] = [];
  const listen = (reason: unknown): void => void unhandled.push(reason);
  process.on('unhandledRejection', listen);
  const inbox = top.branch('type').inbox<string>('key', async () => {
    await turns(3);
    throw new Error('too late');
  });
  inbox.send('one');
  await turns(1);
  top.stop();
  await turns(30);
  process.off('unhandledRejection', listen);
  t.deepEqual(unhandled, []);
});

test('a branch that was stopped can be spawned again under its name, with all below it gone', async (t) => {
  const top = root();
  const seen: string[] = [];
  const first = top.branch('type');
  const old = first.inbox<string>('key', (word) => void seen.push(`old ${word}`));
  first.stop();
  const fresh = top.branch('type').inbox<string>('key', (word) => void seen.push(`new ${word}`));
  old.send('one');
  fresh.send('two');
  await turns(10);
  t.deepEqual(seen, ['new two']);
  top.stop();
});
