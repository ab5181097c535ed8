/** Messages for later, under virtual time: a reminder in three days, and an offer that ends before it is handled. */
import { Actor, actor, command, type DataOf, handles } from 'errand';
import { startTestSystem } from 'errand/testing';
import { z } from 'zod';

const Remind = command('remind', { to: 'reminder', key: (d) => d.who, data: z.object({ who: z.string() }) });

@actor('reminder')
class Reminder extends Actor {
  @handles(Remind)
  remind({ who }: DataOf<typeof Remind>) {
    console.log(`remember, ${who}`);
  }
}

// `lease: '1h'`: leases are renewed in virtual time, too, and a test that moves days need not watch that.
const { system, clock, stop } = await startTestSystem({ actors: [Reminder], lease: '1h' });
system.results(Remind).subscribe((result) => console.log(result.key, result.status === 'failed' ? result.error.code : 'done'));

await system.tell(Remind, { who: 'ada' }, { delay: '3d' });
await system.tell(Remind, { who: 'bob' }, { delay: '2d', expiresIn: '1d' }); // it is not worth doing after a day
await clock.advance('2d');
await clock.advance('1d');
await stop();

// Prints:
// bob EXPIRED
// remember, ada
// ada done
