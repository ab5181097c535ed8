import type { Engine } from '../engine.js';
import { SERVER_VERSION } from '../version.js';

/** What INFO shows, section by section: real figures where there are any, and the rest as an idle Redis has it. */
const SECTIONS: Readonly<Record<string, (engine: Engine) => readonly string[]>> = {
  Server: (engine) => [
    `redis_version:${SERVER_VERSION}`,
    'redis_git_sha1:00000000',
    'redis_git_dirty:0',
    'redis_build_id:0',
    'redis_mode:standalone',
    `os:${process.platform}`,
    'arch_bits:64',
    `process_id:${process.pid}`,
    `run_id:${String(engine.starts).padStart(40, '0')}`,
    'tcp_port:0',
    `uptime_in_seconds:${Math.floor((engine.now - engine.startedAt) / 1000)}`,
    'hz:10',
    'executable:errand/memory-redis',
    'config_file:',
  ],
  Clients: (engine) => [
    `connected_clients:${engine.sessions.size}`,
    'cluster_connections:0',
    `maxclients:${engine.settings.get('maxclients')}`,
    `blocked_clients:${[...engine.sessions.values()].filter((session) => session.blocked !== undefined).length}`,
  ],
  Memory: (engine) => [
    `used_memory:${engine.shared.usedBytes}`,
    `used_memory_dataset:${engine.shared.usedBytes}`,
    `maxmemory:${engine.settings.maxMemory}`,
    `maxmemory_policy:${engine.settings.get('maxmemory-policy')}`,
    'mem_allocator:v8',
  ],
  Persistence: (engine) => [
    'loading:0',
    'async_loading:0',
    'rdb_changes_since_last_save:0',
    'rdb_bgsave_in_progress:0',
    'rdb_last_bgsave_status:ok',
    `aof_enabled:${engine.settings.get('appendonly') === 'yes' ? 1 : 0}`,
    'aof_rewrite_in_progress:0',
    'aof_rewrite_scheduled:0',
    // A rewrite is over at once. None is needed for the sake of half a transaction: loading the log cuts it off.
    `aof_last_rewrite_time_sec:${engine.log?.tornInside === true ? -1 : 0}`,
    'aof_last_bgrewrite_status:ok',
    'aof_last_write_status:ok',
    `aof_current_size:${engine.log?.size ?? 0}`,
  ],
  Stats: (engine) => [
    `total_connections_received:${engine.connectionsSeen}`,
    `total_commands_processed:${engine.commandsRun}`,
    `expired_keys:${engine.shared.expired}`,
    'evicted_keys:0',
    `pubsub_channels:${engine.pubsub.channels.size}`,
    `pubsub_patterns:${engine.pubsub.patterns.size}`,
  ],
  Replication: () => [
    'role:master',
    'connected_slaves:0',
    'master_failover_state:no-failover',
    `master_replid:${'0'.repeat(40)}`,
    'master_repl_offset:0',
  ],
  CPU: () => ['used_cpu_sys:0', 'used_cpu_user:0'],
  Modules: () => [],
  Errorstats: () => [],
  Cluster: () => ['cluster_enabled:0'],
  Keyspace: (engine) =>
    engine.databases.filter((db) => db.size > 0).map((db) => `db${db.index}:keys=${db.size},expires=${db.expiring},avg_ttl=0`),
};

export function infoText(engine: Engine, wanted: readonly string[]): string {
  const names = new Set(wanted.map((name) => name.toLowerCase()));
  const all = names.size === 0 || names.has('all') || names.has('default') || names.has('everything');
  return Object.entries(SECTIONS)
    .filter(([name]) => all || names.has(name.toLowerCase()))
    .map(
      ([name, lines]) =>
        `# ${name}\r\n${lines(engine)
          .map((line) => `${line}\r\n`)
          .join('')}`,
    )
    .join('\r\n');
}
