/** The page `/` of an origin, for people. */
export function page(): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>An origin of the Manypath lab</title>
<style>body { font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem }
dt { margin-top: .6rem } code { background: #8882; padding: .1rem .3rem; border-radius: .2rem }</style>
<h1>An origin of the Manypath lab</h1>
<p>A web server like any other: it has never heard of Manypath.</p>
<dl>
<dt><a href="/bytes/10000000"><code>/bytes/N</code></a></dt><dd>N bytes, always the same; ranges are served. <code>?download=NAME</code> saves them.</dd>
<dt><a href="/sha256/10000000"><code>/sha256/N</code></a></dt><dd>the SHA-256 of those bytes</dd>
<dt><a href="/slow?bytes=1000&amp;ms=3000"><code>/slow?bytes=N&amp;ms=T</code></a></dt><dd>N bytes spread over T milliseconds</dd>
<dt><code>POST /upload</code></dt><dd>how many bytes came, and their SHA-256</dd>
<dt><a href="/echo"><code>/echo</code></a></dt><dd>POST: your bytes; GET: your request as it arrived</dd>
<dt><a href="/objects/100"><code>/objects/N?bytes=B</code></a></dt><dd>a page with N images of B bytes</dd>
<dt><a href="/whoami"><code>/whoami</code></a></dt><dd>who you seem to be, and whether this connection is Multipath TCP</dd>
</dl>
</html>
`;
}
