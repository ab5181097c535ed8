/** `errand schema`: the JSON Schema of a config file, for editors that are told where it lies. */
import type { Command } from 'commander';
import { configJsonSchema } from '../api/config-schema.js';

export function addSchema(program: Command): void {
  program
    .command('schema')
    .description('print the JSON Schema of config files, which the package also ships as errand/config.schema.json')
    .action(() => {
      process.stdout.write(`${JSON.stringify(configJsonSchema(), null, 2)}\n`);
    });
}
