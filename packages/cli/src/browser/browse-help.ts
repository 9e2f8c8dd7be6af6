/** Text below the options in `manypath browse --help`. */
export const browseHelp = '';
