/** nact's gaps, closed at its door. */
import test from 'ava';
import { Branch } from '../../src/runtime/inbox.js';
import { turns } from '../support/hooked.js';

let roots = 0;
const root = (): Branch => Branch.root(`inbox-test-${process.pid}-${(roots += 1)}`);

/** Receives words, and notes them with its name. */
const noting = (seen: string[], name: string) => ({ receive: (word: string) => void seen.push(`${name}${word}`) });

test('an inbox takes one message after the other, in order, each in a turn of its own', async (t) => {
  const top = root();
  const seen: string[] = [];
  const inbox = top.branch('type').inbox<string>({
    receive: (word) => {
      seen.push(word);
      if (word === 'one') inbox.send('three');
      seen.push(`after ${word}`);
    },
  });
  for (const word of ['one', 'two']) inbox.send(word);
  t.deepEqual(seen, []);
  await turns(30);
  t.deepEqual(seen, ['one', 'after one', 'two', 'after two', 'three', 'after three']);
  top.stop();
});

test('a receiver that throws, against the rule, loses no message behind it and tells nobody above it', async (t) => {
  const top = root();
  const seen: string[] = [];
  const branch = top.branch('type');
  const inbox = branch.inbox<string>({
    receive: (word) => {
      seen.push(word);
      if (word === 'throws') throw new Error('thrown');
    },
  });
  const neighbour = branch.inbox<string>(noting(seen, ''));
  for (const word of ['throws', 'last']) inbox.send(word);
  await turns(30);
  neighbour.send('neighbour');
  await turns(10);
  t.deepEqual(seen, ['throws', 'last', 'neighbour']);
  top.stop();
});

test('a fault in an inbox that is stopped meanwhile is no unhandled rejection', async (t) => {
  const top = root();
  const unhandled: unknown[] = [];
  const listen = (reason: unknown): void => void unhandled.push(reason);
  process.on('unhandledRejection', listen);
  const inbox = top.branch('type').inbox<string>({
    receive: () => {
      top.stop();
      throw new Error('too late');
    },
  });
  inbox.send('one');
  await turns(30);
  process.off('unhandledRejection', listen);
  t.deepEqual(unhandled, []);
});

test('a branch that was stopped can be spawned again under its name, with all below it gone', async (t) => {
  const top = root();
  const seen: string[] = [];
  const first = top.branch('type');
  const old = first.inbox<string>(noting(seen, 'old '));
  first.stop();
  const fresh = top.branch('type').inbox<string>(noting(seen, 'new '));
  old.send('one');
  fresh.send('two');
  await turns(10);
  t.deepEqual(seen, ['new two']);
  top.stop();
});

test('an inbox that has taken all is taken over by the next activation; one that has not is left alone', async (t) => {
  const branch = root().branch('type');
  const seen: string[] = [];
  const idle = branch.inbox<string>(noting(seen, 'idle '));
  const busy = branch.inbox<string>(noting(seen, 'busy '));
  idle.send('one');
  await turns(10);
  busy.send('two');
  idle.stop();
  busy.stop();
  const heirs = ['a', 'b'].map((name) => branch.inbox<string>(noting(seen, `${name} `)));
  idle.send('nobody');
  busy.send('nobody');
  for (const heir of heirs) heir.send('three');
  await turns(10);
  t.deepEqual(seen, ['idle one', 'a three', 'b three'], 'what was sent before reaches nobody else');
  branch.stop();
});
