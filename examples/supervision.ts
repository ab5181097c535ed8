/** A failure that goes to the supervisor: the actor type is restarted, and the message is tried again with its attempt counted. */
import { Actor, type ActorContext, ActorSystem, actor, command, handles } from 'errand';
import { z } from 'zod';

const Poll = command('poll', { to: 'sensor', key: (d) => d.id, data: z.object({ id: z.string() }) });
let connected = false;

@actor('sensor')
class Sensor extends Actor {
  override onRestart(reason: Error) {
    console.log(`restarted: ${reason.message}`);
    connected = true;
  }

  @handles(Poll)
  poll(_data: unknown, ctx: ActorContext) {
    if (!connected) throw Object.assign(new Error('the bus is down'), { code: 'BUS_DOWN' });
    console.log(`polled ${ctx.key} at attempt ${ctx.attempt}`);
  }
}

const system = await ActorSystem.start({
  name: 'sensors',
  redis: 'memory:',
  actors: [Sensor],
  supervisors: [
    {
      name: 'hardware',
      strategy: 'one-for-all',
      intensity: 3, // more than 3 escalations within 10 s, and the supervisor itself fails
      period: '10s',
      backoff: { min: '10ms' },
      children: [{ actor: 'sensor', directives: { escalate: ['BUS_DOWN'] } }],
    },
  ],
});
system.signals.subscribe((signal) => {
  if (signal.kind === 'escalated') console.log(`escalated: ${signal.code}`);
});
await system.tell(Poll, { id: 'kitchen' });
await system.idle();
await system.stop();

// Prints:
// escalated: BUS_DOWN
// restarted: the bus is down
// polled kitchen at attempt 2
