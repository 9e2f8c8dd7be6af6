/**
 * Joins a port of a channel with one of the extension: what comes on either goes out on the other, and the end of either ends
 * both. Buffers of frames come through as they are from Chromium 148 on (`message_serialization`).
 *
 * @param onEnd Told once, when it is over.
 */
export function bridgePorts(channel: MessagePort, port: chrome.runtime.Port, onEnd: () => void): void {
  let isOver = false;
  const end = () => {
    if (isOver) return;
    isOver = true;
    channel.close();
    port.disconnect();
    onEnd();
  };
  port.onMessage.addListener((message: unknown) =>
    channel.postMessage(message, Array.isArray(message) ? message : []),
  );
  port.onDisconnect.addListener(end);
  channel.addEventListener('close', end);
  channel.onmessage = ({ data }: MessageEvent<unknown>) => {
    try {
      port.postMessage(data);
    } catch {
      // The extension was updated or removed.
      end();
    }
  };
}
