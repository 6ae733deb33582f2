// The API page: requests that are tried out go to the server that the page came from, wherever it listens.

document.querySelector("openapi-explorer")?.setAttribute("server-url", location.origin);
