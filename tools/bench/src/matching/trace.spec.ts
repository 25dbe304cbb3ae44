import { describe, expect, test } from '@jest/globals';
import { assertAdmissible } from './cluster.js';
import { parseNodes, parsePods, TraceError } from './trace.js';

const nodeHeader = 'sn,cpu_milli,memory_mib,gpu,model';
const podHeader = 'name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos';

describe('a node list', () => {
  test('names CPU, memory, devices and their model', () => {
    expect(parseNodes('nodes.csv', `${nodeHeader}\nn1,64000,262144,2,P100\n`)).toEqual([
      { name: 'n1', cpuMillis: 64_000, memoryMib: 262_144, deviceCount: 2, model: 'P100' },
    ]);
  });

  test('names no model for a node without devices', () => {
    expect(parseNodes('nodes.csv', `${nodeHeader}\nn1,64000,262144,0,\n`)[0]).toMatchObject({ model: '' });
  });
});

describe('a pod list', () => {
  const parse = (...rows: string[]) => parsePods('pods.csv', [podHeader, ...rows].join('\n'));

  test('names a share of one device, whole devices with their models, and CPU alone', () => {
    expect(parse('a,6000,12288,1,460,,LS', 'b,8000,1,4,1000,V100M32|V100M16,BE', 'c,500,1,0,0,,LS')).toEqual([
      { name: 'a', cpuMillis: 6000, memoryMib: 12_288, deviceCount: 1, shareThousandths: 460, models: [] },
      {
        name: 'b',
        cpuMillis: 8000,
        memoryMib: 1,
        deviceCount: 4,
        shareThousandths: 1000,
        models: ['V100M16', 'V100M32'],
      },
      { name: 'c', cpuMillis: 500, memoryMib: 1, deviceCount: 0, shareThousandths: 0, models: [] },
    ]);
  });

  test('may lack the column of models', () => {
    const text = 'name,cpu_milli,memory_mib,num_gpu,gpu_milli\np,1000,1,1,1000';
    expect(parsePods('pods.csv', text)[0]!.models).toEqual([]);
  });

  test.each([
    ['a,-1,1,1,460,,LS', 'pods.csv, line 2, column cpu_milli: must be from 0 to 10000000, is -1'],
    ['a,NaN,1,1,460,,LS', 'pods.csv, line 2, column cpu_milli: must be an integer, is "NaN"'],
    ['a,1,1,18446744073709551615,1000,,LS', 'column num_gpu: must be from 0 to 64, is 18446744073709551615'],
    ['a,1,1,2,500,,LS', 'column gpu_milli: must be from 1000 to 1000, is 500'],
    ['a,1,1,1,0,,LS', 'column gpu_milli: must be from 1 to 1000, is 0'],
    ['a,1,1,1,460,LS', 'pods.csv, line 2: has 6 columns, its header 7'],
    [',1,1,1,460,,LS', 'column name: must not be empty'],
  ])('with the row %s is refused, naming file, line, column and rule', (row, message) => {
    expect(() => parse(row)).toThrow(TraceError);
    expect(() => parse(row)).toThrow(message);
  });

  test('without a column or without rows is refused', () => {
    expect(() => parsePods('pods.csv', 'name,cpu_milli\na,1')).toThrow(
      'line 1, column memory_mib: is missing',
    );
    expect(() => parse()).toThrow('pods.csv: has no rows');
  });
});

test('a pod that asks for a model which no machine has is refused with its field named', () => {
  const nodes = parseNodes('nodes.csv', 'sn,cpu_milli,memory_mib,gpu,model\nn,1000,1,1,T4');
  const pods = (spec: string) => parsePods('pods.csv', `${podHeader}\np,1,1,1,1000,${spec},LS`);
  expect(() => assertAdmissible(nodes, pods('T4'))).not.toThrow();
  expect(() => assertAdmissible(nodes, pods('T4|Z1'))).toThrow(
    'pod p: requirements.devices.models[1] is "Z1", which is not known',
  );
});
