/** Plain JavaScript, without decorators and without a build: static fields name the messages. */
import { Actor, ActorSystem, command, event } from 'errand';
import { z } from 'zod';

const Greet = command('greet', { to: 'greeter', key: (d) => d.name, data: z.object({ name: z.string() }), result: z.string() });
const Greeted = event('greeted', { key: (d) => d.name, data: z.object({ name: z.string() }) });

class Greeter extends Actor {
  static actorType = 'greeter';
  static handlers = { greet: Greet };
  greet({ name }, ctx) {
    ctx.publish(Greeted, { name });
    return `hello, ${name}`;
  }
}

class Guestbook extends Actor {
  static actorType = 'guestbook';
  static subscriptions = { onGreeted: { event: Greeted, key: () => 'all' } };
  initialState() {
    return { guests: [] };
  }
  onGreeted({ name }) {
    this.state.guests.push(name);
  }
}

const system = await ActorSystem.start({ name: 'plain', redis: 'memory:', actors: [Greeter, Guestbook] });
console.log(await system.ask(Greet, { name: 'ada' }));
await system.idle();
console.log(await system.state(Guestbook, 'all'));
await system.stop();

// Prints:
// hello, ada
// { guests: [ 'ada' ] }
