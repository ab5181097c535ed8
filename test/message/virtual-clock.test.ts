import test from 'ava';
import { type Clock, sleep, systemClock } from '../../src/message/clock.js';
import { VirtualClock } from '../../src/message/virtual-clock.js';

const START = Date.UTC(2030, 0, 1);

test('a virtual clock stands still until it is moved', async (t) => {
  const clock = new VirtualClock();
  t.is(clock.now(), START);
  t.is(clock.monotonic(), 0);
  await clock.settle();
  t.is(clock.now(), START);
  await clock.advance('1h');
  t.is(clock.now(), START + 3_600_000);
  t.is(clock.monotonic(), 3_600_000);
  t.is(new VirtualClock(new Date(5)).now(), 5);
});

test('timers fire in the order in which they fall due, at their own moment, and those of one moment as they were set', async (t) => {
  const clock = new VirtualClock();
  const fired: [string, number][] = [];
  const set = (name: string, ms: number): void => {
    clock.after(ms, () => fired.push([name, clock.monotonic()]));
  };
  set('late', 300);
  set('early', 100);
  set('same 1', 200);
  set('same 2', 200);
  set('never', 1_001);
  await clock.advance(1_000);
  t.deepEqual(fired, [
    ['early', 100],
    ['same 1', 200],
    ['same 2', 200],
    ['late', 300],
  ]);
});

test('a timer that is cancelled does not fire, and cancelling it again is harmless', async (t) => {
  const clock = new VirtualClock();
  const fired: string[] = [];
  const timer = clock.after(10, () => fired.push('a'));
  const other = clock.after(10, () => fired.push('b'));
  timer.cancel();
  timer.cancel();
  await clock.advance(10);
  other.cancel();
  t.deepEqual(fired, ['b']);
});

test('a timer that another of the same moment cancels does not fire', async (t) => {
  const clock = new VirtualClock();
  const fired: string[] = [];
  const second = { timer: clock.after(1_000_000, () => undefined) };
  clock.after(10, () => second.timer.cancel());
  second.timer = clock.after(10, () => fired.push('cancelled'));
  await clock.advance(20);
  t.deepEqual(fired, []);
});

test('what a timer sets off in between still happens within the same advance', async (t) => {
  const clock = new VirtualClock();
  const seen: number[] = [];
  const work = async (): Promise<void> => {
    for (let i = 0; i < 5; i += 1) {
      await sleep(clock, 100);
      await new Promise((resolve) => setImmediate(resolve));
      seen.push(clock.monotonic());
    }
  };
  const done = work();
  await clock.advance('1s');
  await done;
  t.deepEqual(seen, [100, 200, 300, 400, 500]);
});

test('a wait of nothing ends by itself, in a later turn', async (t) => {
  const clock = new VirtualClock();
  let fired = 0;
  clock.after(0, () => {
    fired += 1;
  });
  clock.after(-5, () => {
    fired += 1;
  });
  t.is(fired, 0, 'never synchronously');
  await clock.settle();
  t.is(fired, 2);
  await clock.advance(1);
  t.is(fired, 2, 'once');
});

for (const [name, make] of [
  ['the virtual clock', () => new VirtualClock()],
  ["the machine's clock", () => systemClock],
] as const) {
  test(`a sleep on ${name} ends when its signal aborts, and does not begin when it has`, async (t) => {
    const clock: Clock = make();
    const controller = new AbortController();
    const sleeping = sleep(clock, 3_600_000, controller.signal);
    controller.abort();
    await sleeping;
    await sleep(clock, 3_600_000, controller.signal);
    t.pass();
  });
}

test("the machine's clock fires once, and waits longer than one timeout can", async (t) => {
  const before = systemClock.monotonic();
  await new Promise<void>((resolve) => {
    systemClock.after(5, resolve);
  });
  t.true(systemClock.monotonic() - before >= 4);
  let early = false;
  const far = systemClock.after(2 ** 40, () => {
    early = true;
  });
  await new Promise<void>((resolve) => {
    systemClock.after(5, resolve);
  });
  far.cancel();
  t.false(early, 'setTimeout alone would have fired at once');
});

test('a duration that is none does not move the clock', async (t) => {
  const clock = new VirtualClock();
  await t.throwsAsync(clock.advance('1 hour' as '1h'), { code: 'INVALID_DURATION' });
  t.is(clock.now(), START);
});
