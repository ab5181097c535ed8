/** A handler that fails: attempts, a dead letter with their story, and a redrive once the cause is mended. */
import { Actor, type ActorContext, ActorSystem, actor, command, handles } from 'errand';
import { z } from 'zod';

const Ship = command('ship', {
  to: 'carrier',
  key: (d) => d.orderId,
  data: z.object({ orderId: z.string() }),
  result: z.string(),
});
let lineIsDead = true;

@actor('carrier')
class Carrier extends Actor {
  @handles(Ship)
  ship(_data: unknown, ctx: ActorContext) {
    if (lineIsDead) throw Object.assign(new Error('the line is dead'), { code: 'LINE_DEAD' });
    return `parcel of ${ctx.key}, attempt ${ctx.attempt}`;
  }
}

const system = await ActorSystem.start({
  name: 'retries',
  redis: 'memory:',
  actors: [Carrier],
  // Three attempts at once, one more after 10 ms. Meanwhile later messages of the same key wait, and other keys go on.
  supervisors: [{ name: 'outside', children: [{ actor: 'carrier', recoverability: { immediate: 2, delayed: ['10ms'], order: 'block' } }] }],
});
await system.tell(Ship, { orderId: '12005' });
await system.idle();
const [letter] = (await system.deadLetters.list({ actor: 'carrier' })).items;
console.log(letter?.reason, letter?.attempts, letter?.error.message);

lineIsDead = false;
const [redriven] = await system.deadLetters.redrive(letter?.id ?? '');
console.log(await system.attach(Ship, redriven?.messageId ?? ''));
await system.stop();

// Prints:
// LINE_DEAD 4 the line is dead
// parcel of 12005, attempt 1
