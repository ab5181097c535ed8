/** Changes to the supervision tree that meet each other, an escalation, or the system's end. */
import test from 'ava';
import { filter, firstValueFrom } from 'rxjs';
import { z } from 'zod';
import { Actor, type ActorContext, type ActorSystem, command } from '../../src/index.js';
import { turns } from '../support/hooked.js';
import { type Options, onBoth } from '../support/stores.js';

void test;

const to = (type: string) => command(`tell-${type}`, { to: type, key: () => 'k', data: z.object({ what: z.string() }) });
const ToA = to('a');
const ToB = to('b');

/** `hang` works until it is aborted; `escalate` fails once. */
function pair(...supervisors: object[]): Options & { begun: Promise<void> } {
  let onBegun: () => void = () => undefined;
  const begun = new Promise<void>((resolve) => (onBegun = resolve));
  let broken = true;
  const handle = async ({ what }: { what: string }, ctx: ActorContext): Promise<void> => {
    if (what === 'escalate' && broken) {
      broken = false;
      throw new Error('broken');
    }
    if (what !== 'hang' || ctx.attempt > 1) return;
    onBegun();
    await new Promise((_resolve, reject) => ctx.signal.addEventListener('abort', () => reject(new Error('aborted'))));
  };
  class A extends Actor {
    static actorType = 'a';
    static handlers = { handle: ToA };
    handle(data: { what: string }, ctx: ActorContext) {
      return handle(data, ctx);
    }
    override onFailure() {
      return 'escalate' as const;
    }
  }
  class B extends Actor {
    static actorType = 'b';
    static handlers = { handle: ToB };
    handle(data: { what: string }, ctx: ActorContext) {
      return handle(data, ctx);
    }
  }
  return { actors: [A, B], supervisors: supervisors as Options['supervisors'] & object, shards: 1, begun };
}

const begunOf = (options: Options): Promise<void> => (options as ReturnType<typeof pair>).begun;

/** Each supervisor below the root with its children. */
const shape = ({ supervisors }: ActorSystem): unknown =>
  supervisors.supervisors.map(({ name, children }) => [name, ...children.map(({ actor, state }) => `${actor} ${state}`)]);

onBoth(
  'of two branches that are spawned at once for one actor type the first has it, and the second is refused',
  () => pair(),
  async (t, { system, pass }) => {
    const first = system.supervisors.spawn({ name: 'one', children: [{ actor: 'a' }] });
    const second = t.throwsAsync(system.supervisors.spawn({ name: 'two', children: [{ actor: 'a' }] }), { code: 'DUPLICATE_ACTOR' });
    const third = t.throwsAsync(system.supervisors.spawn({ name: 'one' }), { code: 'DUPLICATE_SUPERVISOR' });
    await Promise.all([first, second, third]);
    t.deepEqual(shape(system), [['one', 'a running']]);
    const answered = system.ask(ToA, { what: 'work' });
    await pass('1s');
    await t.notThrowsAsync(answered);
  },
);

onBoth(
  'nothing is spawned under a branch that is being stopped',
  () => pair({ name: 's', children: [{ actor: 'b' }] }),
  async (t, { system, pass }, given) => {
    await system.tell(ToB, { what: 'hang' });
    await begunOf(given);
    const stopped = system.supervisors.stop('s');
    const refused = t.throwsAsync(system.supervisors.spawn({ name: 'm', children: [{ actor: 'a' }] }, { under: 's' }), {
      code: 'UNKNOWN_SUPERVISOR',
    });
    await pass('15s');
    await Promise.all([stopped, refused]);
    const answered = system.ask(ToA, { what: 'work' });
    await pass('1s');
    await t.notThrowsAsync(answered, 'it hangs where it did');
  },
);

onBoth(
  'a branch that is being stopped is told so when the whole system stops meanwhile',
  () => pair({ name: 's', children: [{ actor: 'b' }] }),
  async (t, { system, pass }, given) => {
    await system.tell(ToB, { what: 'hang' });
    await begunOf(given);
    let told = false;
    const tell = (): void => void (told = true);
    const branch = system.supervisors.stop('s').then(tell, tell); // refused when the system's end came first
    await turns(20);
    const ended = system.stop({ grace: '1s' });
    await pass('15s');
    await ended;
    await turns(20);
    t.true(told);
    await branch;
  },
);

onBoth(
  'a sibling that escalates while a branch is being stopped does not bring that branch back',
  () =>
    pair({
      name: 'top',
      strategy: 'one-for-all',
      backoff: { min: '20ms', max: '20ms', jitter: 0 },
      children: [{ actor: 'a' }],
      supervisors: [{ name: 's', children: [{ actor: 'b' }] }],
    }),
  async (t, { system, pass }, given) => {
    await system.tell(ToB, { what: 'hang' });
    await begunOf(given);
    const seen: string[] = [];
    system.signals.subscribe((signal) => signal.kind === 'actor-restarted' && seen.push(signal.actor));
    const restarted = firstValueFrom(system.signals.pipe(filter(({ kind }) => kind === 'actor-restarted')));
    const stopped = system.supervisors.stop('s');
    await system.tell(ToA, { what: 'escalate' });
    await pass('15s');
    await restarted;
    await stopped;
    await system.idle();
    t.deepEqual(seen, ['a']);
    t.deepEqual(shape(system), [['top', 'a running']]);
    t.deepEqual(system.supervisors.supervisors[0]?.supervisors, []);
  },
);

onBoth(
  'a stopped system refuses changes by name',
  () => pair({ name: 's', children: [{ actor: 'b' }] }),
  async (t, { system }) => {
    await system.stop();
    await t.throwsAsync(system.supervisors.spawn({ name: 'm', children: [{ actor: 'a' }] }), { code: 'STOPPED' });
    await t.throwsAsync(system.supervisors.stop('s'), { code: 'STOPPED' });
  },
);
