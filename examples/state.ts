/** An actor with state: one account for each key, committed together with the result of each deposit. */
import { Actor, ActorSystem, actor, command, type DataOf, handles, TerminalError } from 'errand';
import { z } from 'zod';

const Withdraw = command('withdraw', {
  to: 'account',
  key: (d) => d.account,
  data: z.object({ account: z.string(), cents: z.number().int().positive() }),
  result: z.object({ balance: z.number() }),
});

@actor('account')
class Account extends Actor<{ balance: number }> {
  override initialState() {
    return { balance: 1_000 };
  }

  @handles(Withdraw)
  withdraw({ cents }: DataOf<typeof Withdraw>) {
    // A TerminalError is an answer: the command fails with this code, and is never tried again.
    if (cents > this.state.balance) throw new TerminalError('the balance does not cover it', { code: 'OVERDRAWN' });
    this.state.balance -= cents;
    return { balance: this.state.balance };
  }
}

const system = await ActorSystem.start({ name: 'bank', redis: 'memory:', actors: [Account] });
console.log(await system.ask(Withdraw, { account: 'ada', cents: 600 }));
await system.ask(Withdraw, { account: 'ada', cents: 600 }).catch((error: { code: string }) => console.log(error.code));
console.log(await system.state(Account, 'ada'));
await system.stop();

// Prints:
// { balance: 400 }
// OVERDRAWN
// { balance: 400 }
