import { describe, expect, test } from '@jest/globals';
import { parseOptions } from './options.js';

const needed = ['--trace', 'dir', '--pods', 'file'];

describe('the options', () => {
  test('have the published seeds and all policies by default', () => {
    expect(parseOptions(needed)).toEqual({
      trace: {
        folder: 'dir',
        pods: 'file',
        seeds: [42, 43, 44, 45, 46, 47, 48, 49, 50, 51],
        policies: ['astro', 'astroLearned', 'fgd', 'bestfit', 'random'],
      },
      isScale: false,
      isMarket: false,
    });
  });

  test('name seeds by ranges and lists, policies by a list, and the weight of power', () => {
    const options = parseOptions([...needed, '--seeds', '1,5-7', '--policy', 'fgd,astro', '--power', '0.5']);
    expect(options.trace).toMatchObject({ seeds: [1, 5, 6, 7], policies: ['fgd', 'astro'], power: 0.5 });
  });

  test('measure what power is compared with where power is asked for', () => {
    expect(parseOptions([...needed, '--power', '0.5']).trace?.policies).toContain('pwr100fgd900');
  });

  test('ask for the Philly jobs, with or without the trace', () => {
    expect(parseOptions(['--philly', 'jobs.csv'])).toEqual({
      philly: { file: 'jobs.csv', nodes: 80 },
      isScale: false,
      isMarket: false,
    });
    const both = parseOptions([...needed, '--philly', 'jobs.csv', '--nodes', '60']);
    expect(both).toMatchObject({ trace: { folder: 'dir' }, philly: { nodes: 60 } });
  });

  test('ask for the market alone', () => {
    expect(parseOptions(['--market'])).toEqual({ isScale: false, isMarket: true });
  });

  test('ask for the curve of scale alone', () => {
    expect(parseOptions(['--scale'])).toEqual({ isScale: true, isMarket: false });
  });

  test.each([
    [[], '--trace: is missing, and so are --philly, --scale and --market'],
    [['--pods', 'file'], '--trace: is missing'],
    [['--trace', 'dir'], '--pods: is missing'],
    [[...needed, '--seeds', '51-42'], '--seeds: 51-42'],
    [[...needed, '--seeds', 'x'], '--seeds: x'],
    [[...needed, '--policy', 'best'], '--policy: best is none of astro'],
    [[...needed, '--power=-1'], '--power: -1 is not a number from 0 up'],
    [[...needed, '--speed', '1'], "Unknown option '--speed'"],
    [[...needed, '--power', 'NaN'], '--power: NaN is not a number from 0 up'],
  ])('%j are refused with the option named', (args, message) => {
    expect(() => parseOptions(args)).toThrow(message);
  });
});
