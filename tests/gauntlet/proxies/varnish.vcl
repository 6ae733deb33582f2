# Fetches every answer whole before it sends any of it.
vcl 4.1;

backend default {
    .host = "127.0.0.1";
    .port = "{server_port}";
}

sub vcl_recv {
    return (pass);
}

sub vcl_backend_response {
    set beresp.do_stream = false;
    return (deliver);
}
