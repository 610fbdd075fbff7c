"""A visitor without a browser: the websocket, the cookies and the uploads that a page of the dashboard makes."""
import http.client
import uuid

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect

SECONDS = 120


class Visitor:
    """query: what stands in the address of the page, such as "batch_size=8"."""

    def __init__(self, host: str, query: str = "", cookies: dict[str, str] | None = None, origin: str | None = None):
        self.host, self.query, self.cookies = host, query, dict(cookies or {})
        self.websocket = connect(f"ws://{host}/_stcore/stream", subprotocols=["streamlit"], max_size=None,
                                 compression=None, origin=origin or f"http://{host}", open_timeout=SECONDS,
                                 additional_headers={"Cookie": self._cookie_header()} if self.cookies else None
                                 ).__enter__()
        for line in self.websocket.response.headers.get_all("Set-Cookie"):
            name, value = line.split(";")[0].split("=", 1)
            self.cookies[name] = value
        self.session, self.controls = "", {}

    def _cookie_header(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    @property
    def replica(self) -> int:
        return int(self.cookies["zigzag_replica"])

    def visit(self) -> "Visitor":
        """One run of the page; afterwards `controls` holds the values of its number fields."""
        message = BackMsg()
        message.rerun_script.query_string = self.query
        self.websocket.send(message.SerializeToString())
        while True:
            answer = ForwardMsg.FromString(self.websocket.recv(timeout=SECONDS))
            kind = answer.WhichOneof("type")
            if kind == "new_session":
                self.session = answer.new_session.initialize.session_id
            elif kind == "delta" and answer.delta.new_element.WhichOneof("type") == "number_input":
                control = answer.delta.new_element.number_input
                self.controls[control.label] = control.value if control.set_value else control.default
            elif kind == "delta":
                assert answer.delta.new_element.WhichOneof("type") != "exception"
            elif kind == "script_finished":
                return self

    def upload(self, size: int = 1000, cookies: dict[str, str] | None = None) -> int:
        """The status of a file sent to this visitor's session, which is in the memory of one replica only."""
        _, headers, _ = get(self.host, "/_stcore/health")  # of any replica: the token is not bound to one
        token = next(value for name, value in headers if value.startswith("_streamlit_xsrf="))
        token = token.split(";")[0].split("=", 1)[1].strip('"')
        boundary = uuid.uuid4().hex
        body = (f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n'
                "Content-Type: text/csv\r\n\r\n").encode() + b"x" * size + f"\r\n--{boundary}--\r\n".encode()
        self.cookies["_streamlit_xsrf"] = token
        sent = {**self.cookies, **(cookies or {})}
        status, _, _ = get(self.host, f"/_stcore/upload_file/{self.session}/{uuid.uuid4()}", "PUT", body, {
            "Content-Type": f"multipart/form-data; boundary={boundary}", "X-Xsrftoken": token,
            "Cookie": "; ".join(f"{name}={value}" for name, value in sent.items())})
        return status

    def close(self) -> None:
        self.websocket.close()


def get(host: str, path: str, method: str = "GET", body: bytes | None = None,
        headers: dict[str, str] | None = None) -> tuple[int, list[tuple[str, str]], bytes]:
    """Status, headers (those that came twice are there twice) and body."""
    connection = http.client.HTTPConnection(host, timeout=SECONDS)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, [(name.lower(), value) for name, value in answer.getheaders()], answer.read()
    finally:
        connection.close()
