import { type Client, HELD_OVERHEAD_BYTES } from './client-state.js';
import { GlobBudget, globMatches } from './glob.js';
import { Push } from './reply.js';

/** Who listens to which channel or pattern. */
export class PubSub {
  readonly channels = new Map<string, Set<Client>>();
  readonly patterns = new Map<string, Set<Client>>();

  subscribe(client: Client, channel: string): void {
    if (!client.channels.has(channel)) client.charge(channel.length + HELD_OVERHEAD_BYTES);
    client.channels.add(channel);
    join(this.channels, channel, client);
  }

  unsubscribe(client: Client, channel: string): void {
    if (client.channels.delete(channel)) client.heldBytes -= channel.length + HELD_OVERHEAD_BYTES;
    leave(this.channels, channel, client);
  }

  subscribePattern(client: Client, pattern: string): void {
    if (!client.patterns.has(pattern)) client.charge(pattern.length + HELD_OVERHEAD_BYTES);
    client.patterns.add(pattern);
    join(this.patterns, pattern, client);
  }

  unsubscribePattern(client: Client, pattern: string): void {
    if (client.patterns.delete(pattern)) client.heldBytes -= pattern.length + HELD_OVERHEAD_BYTES;
    leave(this.patterns, pattern, client);
  }

  /** Returns how many were reached. */
  publish(channel: string, message: string): number {
    let reached = 0;
    for (const client of this.channels.get(channel) ?? []) {
      client.deliver(new Push(['message', channel, message]));
      reached += 1;
    }
    const budget = new GlobBudget();
    for (const [pattern, clients] of this.patterns) {
      if (!matches(pattern, channel, budget)) continue;
      for (const client of clients) {
        client.deliver(new Push(['pmessage', pattern, channel, message]));
        reached += 1;
      }
    }
    return reached;
  }

  forget(client: Client): void {
    for (const channel of [...client.channels]) this.unsubscribe(client, channel);
    for (const pattern of [...client.patterns]) this.unsubscribePattern(client, pattern);
  }
}

/** A pattern that takes too long matches nothing: whoever publishes has not made it, and must not be told of it. */
function matches(pattern: string, channel: string, budget: GlobBudget): boolean {
  try {
    return globMatches(pattern, channel, budget);
  } catch {
    return false;
  }
}

function join(map: Map<string, Set<Client>>, name: string, client: Client): void {
  const clients = map.get(name);
  if (clients === undefined) map.set(name, new Set([client]));
  else clients.add(client);
}

function leave(map: Map<string, Set<Client>>, name: string, client: Client): void {
  const clients = map.get(name);
  clients?.delete(client);
  if (clients?.size === 0) map.delete(name);
}
