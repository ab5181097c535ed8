/** nact's gaps, closed at its door. */
import test from 'ava';
import { Branch } from '../../src/runtime/inbox.js';
import { turns } from '../support/hooked.js';

let roots = 0;
const root = (): Branch => Branch.root(`inbox-test-${process.pid}-${(roots += 1)}`);

test('an inbox takes one message at a time, in order', async (t) => {
  const top = root();
  const seen: string[] = [];
  const inbox = top.branch('type').inbox<string>(async (word) => {
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
  const inbox = branch.inbox<string>((word) => {
    seen.push(word);
    if (word === 'throws') throw new Error('thrown');
    return word === 'rejects' ? Promise.reject(new Error('rejected')) : undefined;
  });
  const neighbour = branch.inbox<string>((word) => void seen.push(word));
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
  const inbox = top.branch('type').inbox<string>(async () => {
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
  const old = first.inbox<string>((word) => void seen.push(`old ${word}`));
  first.stop();
  const fresh = top.branch('type').inbox<string>((word) => void seen.push(`new ${word}`));
  old.send('one');
  fresh.send('two');
  await turns(10);
  t.deepEqual(seen, ['new two']);
  top.stop();
});

test('an inbox that is through is taken over by the next activation; one that is not is left alone', async (t) => {
  const branch = root().branch('type');
  const seen: string[] = [];
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const idle = branch.inbox<string>((word, through) => {
    seen.push(`idle ${word}`);
    through();
  });
  const busy = branch.inbox<string>(async (word, through) => {
    await held;
    seen.push(`busy ${word}`);
    through();
  });
  idle.send('one');
  busy.send('two');
  await turns(10);
  idle.stop();
  busy.stop();
  const heirs = ['a', 'b'].map((name) => branch.inbox<string>((word) => void seen.push(`${name} ${word}`)));
  idle.send('nobody');
  busy.send('nobody');
  for (const heir of heirs) heir.send('three');
  await turns(10);
  t.deepEqual(seen, ['idle one', 'a three', 'b three'], 'nobody waits behind the message that is not through');
  release();
  await turns(10);
  t.deepEqual(seen.slice(3), ['busy two']);
  branch.stop();
});
