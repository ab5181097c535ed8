/** The second stream: every result as it comes, and those of the past from a position that was kept. */
import { Actor, ActorSystem, actor, command, type DataOf, handles, type Position } from 'errand';
import { firstValueFrom, take, toArray } from 'rxjs';
import { z } from 'zod';

const Square = command('square', { to: 'maths', key: (d) => String(d.n), data: z.object({ n: z.number() }), result: z.number() });

@actor('maths')
class Maths extends Actor {
  @handles(Square)
  square({ n }: DataOf<typeof Square>) {
    return n * n;
  }
}

const system = await ActorSystem.start({ name: 'observing', redis: 'memory:', shards: 1, actors: [Maths] });
let position: Position | undefined;
const first = firstValueFrom(system.results(Square));
await system.tell(Square, { n: 2 }, { correlationId: 'click-1' });
const result = await first;
if (result.status === 'completed') console.log(result.key, result.value, result.correlationId);
position = result.position;

// Nobody looks now; the results stand in the stream all the same.
for (const n of [3, 4]) await system.ask(Square, { n });
const missed = await firstValueFrom(system.results(Square, { from: position }).pipe(take(2), toArray()));
console.log(missed.map(({ key }) => key));
await system.stop();

// Prints:
// 2 4 click-1
// [ '3', '4' ]
