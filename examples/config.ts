/** A system from a config file: modules, supervisors and limits are data. `errand start examples/config.yaml` runs the same file. */
import { ActorSystem } from 'errand';
import { Ping } from './config-actors.js';

const system = await ActorSystem.fromConfig('examples/config.yaml');
console.log(await system.ask(Ping, { host: 'router' }));
console.log(system.supervisors.supervisors.map(({ name, children }) => `${name}: ${children.map(({ actor }) => actor).join(', ')}`));
await system.stop();

// Prints:
// router answers
// [ 'network: pinger' ]
