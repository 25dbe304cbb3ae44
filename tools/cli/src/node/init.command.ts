import { hostname } from 'node:os';
import { readFile } from 'node:fs/promises';
import type { Answers, Initiated } from '@astro/node-agent/cli/init-node';
import { boolean, string } from '@oclif/core/flags';
import { exitCode } from '../exit-codes.js';
import { NodeCommand, placeFlags } from './node-command.js';

const PORT = '9400';

const questions = {
  gateway: { flag: '--gateway', asks: 'Address of the gateway', example: 'https://gateway.example.org' },
  operatorKey: { flag: '--operator-key-file, or OPERATOR_KEY', asks: 'Your API key as an operator' },
  region: { flag: '--region', asks: 'Where this machine is: country and place', example: 'de-fra' },
  price: { flag: '--price', asks: 'Price of a device for each second, in base units (10^-18 ASTRO)' },
} as const;
type Question = keyof typeof questions;

export default class NodeInit extends NodeCommand {
  static override summary = 'Make this machine a node: its key, its configuration, its place in the registry';
  static override description = 'Run again it changes nothing but what is asked for anew.';
  static override flags = {
    ...placeFlags,
    gateway: string({ helpValue: 'URL' }),
    'operator-key-file': string({ helpValue: 'FILE', description: 'with the API key; else OPERATOR_KEY' }),
    region: string({ helpValue: 'REGION', description: 'for example de-fra' }),
    price: string({ helpValue: 'BASE_UNITS', description: 'for each device and second; else the usual one' }),
    'interruptible-price': string({ helpValue: 'BASE_UNITS', description: 'else half of the other' }),
    name: string({ helpValue: 'NAME', description: 'in logs; the name of the machine without it' }),
    runtimes: string({ helpValue: 'KINDS', description: 'wasm, process, container; wasm without it' }),
    'http-port': string({ helpValue: 'PORT', description: `for health; ${PORT} without it` }),
    yes: boolean({ description: 'ask nothing' }),
  };

  async run(): Promise<Initiated> {
    const { flags } = await this.parse(NodeInit);
    const asked = await this.places(flags);
    const { earlierAnswers, initNode } = await import('@astro/node-agent/cli/init-node');
    const earlier = await earlierAnswers(asked);
    const keyFile = flags['operator-key-file'];
    const operatorKey = keyFile ? (await readFile(keyFile, 'utf8')).trim() : process.env['OPERATOR_KEY'];
    const given: Answers = {
      ...{ gateway: flags.gateway, region: flags.region, price: flags.price, operatorKey },
      ...{ interruptiblePrice: flags['interruptible-price'], runtimes: flags.runtimes },
      name:
        flags.name ??
        earlier.name ??
        hostname()
          .replaceAll(/[^\w.-]/g, '-')
          .slice(0, 64),
      port: flags['http-port'] ?? earlier.port ?? PORT,
    };
    const answers = await this.complete({ ...earlier, ...defined(given) }, !flags.yes && isConversation());
    const node = await initNode(asked, answers, process.env);
    this.log(`${node.nodeId} ${node.isNew ? 'has joined' : 'had joined already'}; the bus lets it in`);
    this.log(`configuration: ${node.configFile}${node.isConfigChanged ? '' : ' (as it was)'}`);
    this.log(`state, with the key that is this node: ${node.stateDir}`);
    this.log(`\nNext: astro node doctor --config ${node.configFile}`);
    this.log(`Then start the agent: node services/node-agent/dist/main.js --config ${node.configFile}`);
    return node;
  }

  /** Asks a person for what is missing; where there is none, says which flag gives it. */
  private async complete(answers: Answers, isAsked: boolean): Promise<Answers> {
    const complete: Partial<Record<keyof Answers, string | undefined>> = { ...answers };
    for (const name of Object.keys(questions) as Question[]) {
      if (complete[name] !== undefined) continue;
      const suggested = name === 'price' ? await this.usualPrice(complete) : undefined;
      if (isAsked) complete[name] = await this.askFor(name, suggested);
      else if (suggested !== undefined) complete[name] = suggested;
      else {
        const { flag, asks } = questions[name];
        this.error(`${asks} is missing: give it by ${flag}`, { exit: exitCode.wrongUsage });
      }
    }
    return complete;
  }

  private async askFor(name: Question, suggested: string | undefined): Promise<string> {
    const prompts = await import('@clack/prompts');
    const question = questions[name];
    const message = question.asks;
    const placeholder = 'example' in question ? question.example : (suggested ?? '');
    const answer =
      name === 'operatorKey'
        ? await prompts.password({ message })
        : await prompts.text({ message, placeholder, ...(suggested && { defaultValue: suggested }) });
    if (prompts.isCancel(answer)) this.error('nothing was changed', { exit: exitCode.wrongUsage });
    return answer.trim();
  }

  /** What nodes like this one ask, where there are any. */
  private async usualPrice({ gateway = '', operatorKey = '' }: Answers): Promise<string | undefined> {
    const [{ OperatorApi }, { modelOf, usualPrice }, { probeMachine }] = await Promise.all([
      import('@astro/node-agent/cli/operator-api'),
      import('@astro/node-agent/cli/market'),
      import('@astro/node-agent/probe/machine'),
    ]);
    const { accelerators } = await probeMachine();
    return (await usualPrice(new OperatorApi(gateway, operatorKey), modelOf(accelerators)))?.toString();
  }
}

const isConversation = (): boolean => process.stdin.isTTY && process.stdout.isTTY;

const defined = (answers: Answers): Answers =>
  Object.fromEntries(Object.entries(answers).filter(([, value]) => value !== undefined && value !== ''));
