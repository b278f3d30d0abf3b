# Serves the current directory on port 80 of both families, to many at once.
import http.server, socket


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    request_queue_size = 4096


Server(("::", 80), http.server.SimpleHTTPRequestHandler).serve_forever()
