import { InvalidConfig } from '@astro/runtime/config';
import { GatewayClient } from '../../gateway/gateway-client.js';
import { isOpenToOthers, readConfigFile, under } from '../config-file.js';
import { setUpFrom, type Setup } from '../node-setup.js';
import { fails, works, type Finding } from './check.js';
import {
  checkDevices,
  checkDisk,
  checkMemory,
  checkNodeVersion,
  checkOpenFiles,
  checkPort,
  checkRuntimes,
} from './machine-checks.js';
import { checkGateway, checkNode } from './platform-checks.js';

/** Everything that a node rests on, each tried for real. Without a configuration there is little to try. */
export async function examine(configFile: string, env: NodeJS.ProcessEnv): Promise<readonly Finding[]> {
  const first = [checkNodeVersion(), await checkOpenFiles()];
  const { finding, setup } = await readSetup(configFile, env);
  if (!setup) return [...first, finding];
  const { config, machine } = setup;
  const { findings } = await checkGateway(config);
  const gateway = new GatewayClient(config.GATEWAY_URL);
  try {
    return [
      ...[...first, finding, ...findings],
      ...(await checkNode(config, gateway)),
      ...[await checkDisk(config), checkMemory(config), await checkPort(config)],
      ...(await checkRuntimes(config, machine)),
      ...checkDevices(machine),
    ];
  } finally {
    gateway.close();
  }
}

async function readSetup(
  configFile: string,
  env: NodeJS.ProcessEnv,
): Promise<{ readonly finding: Finding; readonly setup?: Setup }> {
  const check = { id: 'configuration', isNeeded: true };
  const file = await readConfigFile(configFile);
  if (file === undefined)
    return { finding: fails(check, `${configFile} is not there`, 'run `astro node init`') };
  if (await isOpenToOthers(configFile))
    return { finding: fails(check, `${configFile} can be read by others`, `chmod 600 ${configFile}`) };
  try {
    const setup = await setUpFrom(under(env, file));
    return { finding: works(check, `${configFile} is complete`), setup };
  } catch (error) {
    if (!(error instanceof InvalidConfig)) throw error;
    return { finding: fails(check, error.lines.join('; '), `correct it in ${configFile}`) };
  }
}
