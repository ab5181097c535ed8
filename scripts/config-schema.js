// Writes config.schema.json, the JSON Schema that editors complete config files with. Run after a build; a test checks that it is up to date.
import { writeFileSync } from 'node:fs';
import { configJsonSchema } from '../dist/src/api/config-schema.js';

writeFileSync(new URL('../config.schema.json', import.meta.url), `${JSON.stringify(configJsonSchema(), null, 2)}\n`);
