/** Below it are the servers that jobs run, each under its job's id. */
export const SERVICES_PATH = '/v1/services/';
