/** There has to be one for the extension's pages to be reached in tests. */
