/** The module that `config.yaml` names: it exports its actor classes, and may bind their dependencies. */
import { Actor, actor, command, handles } from 'errand';
import { type Container, inject } from 'inversify';
import { z } from 'zod';

export const Ping = command('ping', { to: 'pinger', key: (d) => d.host, data: z.object({ host: z.string() }), result: z.string() });

abstract class Network {
  abstract ping(host: string): Promise<string>;
}

@actor('pinger')
export class Pinger extends Actor {
  constructor(@inject(Network) private readonly network: Network) {
    super();
  }

  @handles(Ping)
  ping({ host }: { host: string }) {
    return this.network.ping(host);
  }
}

export function bind(container: Container): void {
  container.bind(Network).toConstantValue({ ping: async (host) => `${host} answers` });
}
