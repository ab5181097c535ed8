/** What failures say in signals, logs, results and dead letters: enough to understand them, and no secret. Issue 14, B9 and B10. */
import { z } from 'zod';
import { Actor, actor, CommandFailed, command, type DataOf, handles, type Logger, type Signal } from '../../src/index.js';
import { onBoth } from '../support/stores.js';

const Go = command('go', { to: 'thrower', key: (d) => d.what, data: z.object({ what: z.string() }) });

const THROWN: Readonly<Record<string, () => unknown>> = {
  aggregate: () => new AggregateError([new Error('first was refused'), new Error('second timed out')]),
  cause: () => new Error('could not save', { cause: Object.assign(new Error('duplicate entry'), { code: '23505' }) }),
  token: () => Object.assign(new Error('upstream said 401'), { config: { headers: { authorization: 'Bearer SECRET-TOKEN' } } }),
  card: () => new Error('card 4111111111111111 was refused'),
  revoked: () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  },
};

@actor('thrower')
class Thrower extends Actor {
  @handles(Go)
  go({ what }: DataOf<typeof Go>): void {
    throw THROWN[what]?.();
  }
}

const supervisors = [{ name: 's', children: [{ actor: 'thrower', recoverability: { immediate: 1, delayed: [] } }] }];
const lines: string[] = [];
const log = (details: object, message: string): void => {
  lines.push(`${message} ${JSON.stringify(details)}`);
};
const logger: Logger = { debug: log, info: log, warn: log, error: log };
const redact = (text: string): string => text.replaceAll(/\d{12,}/g, '****');

onBoth(
  'a failure tells its causes, and no property that is not an error of its own',
  { actors: [Thrower], supervisors, logger, redact },
  async (t, store) => {
    const { system } = store;
    const from = lines.length;
    const signals: Signal[] = [];
    system.signals.subscribe((signal) => signals.push(signal));
    const told: Record<string, string> = {};
    for (const what of Object.keys(THROWN)) {
      const error = await t.throwsAsync(system.ask(Go, { what }), { instanceOf: CommandFailed, code: 'DEAD_LETTERED' });
      told[what] = error?.message ?? '';
    }
    const { items } = await system.deadLetters.list({ actor: 'thrower' });
    const letterOf = (what: string) => items.find(({ key }) => key === what);
    t.deepEqual(
      letterOf('aggregate')?.error.causes.map(({ message }) => message),
      ['first was refused', 'second timed out'],
    );
    t.is(letterOf('aggregate')?.error.message, 'first was refused; second timed out');
    t.deepEqual(letterOf('cause')?.error.causes, [{ name: 'Error', code: '23505', message: 'duplicate entry' }]);
    t.is(letterOf('revoked')?.attempts, 2);
    t.is(letterOf('card')?.error.message, 'card **** was refused', 'the hook saw the message');
    t.regex(told['card'] ?? '', /card \*\*\*\* was refused/);
    const everything = JSON.stringify([items, signals, lines.slice(from), told]);
    t.true(everything.includes('upstream said 401'));
    t.false(everything.includes('SECRET-TOKEN'));
    t.false(everything.includes('4111111111111111'));
  },
);

onBoth(
  'a hook that fails keeps the text back',
  { actors: [Thrower], supervisors, redact: () => Promise.reject(new Error('no')) as never },
  async (t, { system }) => {
    const error = await t.throwsAsync(system.ask(Go, { what: 'card' }), { instanceOf: CommandFailed });
    t.false(error?.message.includes('4111111111111111'));
  },
);
