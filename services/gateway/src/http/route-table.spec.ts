import { expect, test } from '@jest/globals';
import { RouteTable } from './route-table.js';

const table = new RouteTable();
table.add('/v1/jobs', 'GET');
table.add('/v1/jobs', ['POST']);
table.add('/v1/jobs/:id', 'GET');
table.add('/v1/services/:id/*', 'PATCH');

const rows: readonly [path: string, methods: readonly string[]][] = [
  ['/v1/jobs', ['GET', 'POST']],
  ['/v1/jobs/job_1', ['GET']],
  ['/v1/jobs/', []],
  ['/v1/jobs/job_1/events', []],
  ['/v1/services/job_1', []],
  ['/v1/services/job_1/', ['PATCH']],
  ['/v1/services/job_1/v1/models', ['PATCH']],
  ['/v2/jobs', []],
];
test.each(rows)('%s has the methods %j', (path, methods) => expect(table.methodsOf(path)).toEqual(methods));
