import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where an installation puts things. */
export interface InstallPlaces {
  /** For all users of the machine. */
  readonly system: boolean;
  /** Below which the folders of the system are. */
  readonly root: string;
  /** Of Manypath: the script that browsers start, and the record of what was written. */
  readonly dataDir: string;
  /** Below which browsers have their user data folders. */
  readonly browserHome: string;
  /** Of systemd's units for user managers. */
  readonly unitDir: string;
  /** Of systemd's units for the machine. */
  readonly systemUnitDir: string;
}

/** Places of one user, as the XDG base directories say; a relative path there is to be ignored. */
export function userPlaces(
  environment: NodeJS.ProcessEnv = process.env,
  home: string = homedir(),
): InstallPlaces {
  const folder = (variable: string, usual: string): string => {
    const named = environment[variable];
    return named?.startsWith('/') ? named : usual;
  };
  const configHome = folder('XDG_CONFIG_HOME', join(home, '.config'));
  return {
    system: false,
    root: '/',
    dataDir: join(folder('XDG_DATA_HOME', join(home, '.local', 'share')), 'manypath'),
    // Chromium and its relatives look at this one first.
    browserHome: folder('CHROME_CONFIG_HOME', configHome),
    unitDir: join(configHome, 'systemd', 'user'),
    systemUnitDir: '/etc/systemd/system',
  };
}

/** Places of the machine. @param root For tests. */
export function systemPlaces(root = '/'): InstallPlaces {
  return {
    system: true,
    root,
    dataDir: join(root, 'usr/local/lib/manypath'),
    browserHome: join(root, 'nonexistent'),
    unitDir: join(root, 'etc/systemd/user'),
    systemUnitDir: join(root, 'etc/systemd/system'),
  };
}
