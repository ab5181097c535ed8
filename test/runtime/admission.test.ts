import test from 'ava';
import { systemClock } from '../../src/message/clock.js';
import { Activation, type Surroundings } from '../../src/runtime/activation.js';
import { Admission } from '../../src/runtime/admission.js';
import { Breakers } from '../../src/runtime/breaker.js';
import { Gate } from '../../src/runtime/gate.js';
import { type Held, heldOf, NOBODY } from '../../src/runtime/held.js';
import type { Inbox, Receiver } from '../../src/runtime/inbox.js';
import { Slots } from '../../src/runtime/slots.js';
import type { Wanting } from '../../src/runtime/state-loader.js';
import { turns } from '../support/hooked.js';

/** What surrounds an activation, all of which fails. */
function broken(state: 'at once' | 'later') {
  const slots = new Slots(1);
  const breaker = new Breakers({ failures: 1, probeEvery: 1 }, systemClock, () => undefined);
  const seen = { working: 0, faults: 0 };
  let tell: () => void = () => undefined;
  const told = new Promise<void>((resolve) => {
    tell = resolve;
  });
  const fails = (): never => {
    throw new Error('broken');
  };
  const around = {
    behavior: { type: 't', stateful: true, pipelined: false, commands: new Map([['', {}]]), subscriptions: new Map(), replies: new Map() },
    settings: {},
    host: {
      slots,
      breakers: breaker,
      deps: { gate: new Gate() },
      states: { load: (wanting: Wanting) => wanting.notLoaded(new Error('broken')) },
      inbox: (receiver: Receiver<Held>) => ({ send: (message: Held) => receiver.receive(message), stop: () => undefined }),
    },
    clock: systemClock,
    shards: 1,
    closing: false,
    running: new Set(),
    verdicts: {
      attemptFailed: fails,
      fault: () => {
        seen.faults += 1;
        tell();
      },
    },
    inHand: { begin: () => (seen.working += 1), end: () => (seen.working -= 1) },
    cancellations: { has: () => state === 'at once' && fails() },
    suspect: () => undefined,
    stateKey: (key: string) => key,
    stateUnread: () => undefined,
    deadLetter: fails,
  } as unknown as Surroundings;
  return { around, slots, breaker, seen, told };
}

for (const state of ['at once', 'later'] as const) {
  for (const open of [false, true]) {
    test(`whatever fails around a handler (${state}${open ? ', as a probe' : ''}), its slot, its turn and its place are given back`, async (t) => {
      const { around, slots, breaker, seen, told } = broken(state);
      if (open) breaker.failed('other', '');
      const held = heldOf({ id: '1-0', fields: [] }, NOBODY);
      const activation = new Activation('k', around, new Admission(around));
      t.notThrows(() => activation.enqueue(held));
      await told;
      await turns(1);
      t.is(slots.free, 1);
      t.deepEqual(seen, { working: 0, faults: 1 });
      if (open) t.true(await breaker.openFor('')?.turn(false), 'the next probe has its turn');
      breaker.stop();
    });
  }
}

test('what is queued when its partition closes stays in the log, and is not asked for again and again', async (t) => {
  const { around, breaker } = broken('later');
  let sent = 0;
  const inbox = (receiver: Receiver<Held>): Inbox<Held> => ({
    send: (message) => {
      sent += 1;
      setImmediate(() => receiver.receive(message));
    },
    stop: () => undefined,
  });
  const closing = { ...around, closing: false, host: { ...around.host, inbox }, behavior: { ...around.behavior, stateful: false } };
  const activation = new Activation('k', closing, new Admission(closing));
  for (const id of ['1-0', '2-0']) activation.enqueue(heldOf({ id, fields: [] }, NOBODY));
  closing.closing = true;
  await turns(20);
  t.is(sent, 1);
  t.is(activation.queued.length, 2);
  breaker.stop();
});
