/** Dependencies by inversify: the actor asks for a clock of the world outside, and a test gives it another one. */
import { Actor, ActorSystem, actor, command, type DataOf, handles } from 'errand';
import { given } from 'errand/testing';
import { Container, inject } from 'inversify';
import { z } from 'zod';

abstract class Rates {
  abstract of(currency: string): Promise<number>;
}

const Convert = command('convert', {
  to: 'exchange',
  key: (d) => d.currency,
  data: z.object({ currency: z.string(), amount: z.number() }),
  result: z.number(),
});

@actor('exchange')
class Exchange extends Actor {
  constructor(@inject(Rates) private readonly rates: Rates) {
    super();
  }

  @handles(Convert)
  async convert({ currency, amount }: DataOf<typeof Convert>) {
    return amount * (await this.rates.of(currency));
  }
}

const container = new Container();
container.bind(Rates).toConstantValue({ of: async (currency) => (currency === 'EUR' ? 1 : 0.5) });

const system = await ActorSystem.start({ name: 'exchange', redis: 'memory:', actors: [Exchange], container });
console.log(await system.ask(Convert, { currency: 'CHF', amount: 10 }));
await system.stop();

// The same handler alone, without a system.
const { result } = await given(Exchange, { key: 'EUR', container }).when(Convert, { currency: 'EUR', amount: 3 });
console.log(result.status === 'completed' && result.value);

// Prints:
// 5
// 3
