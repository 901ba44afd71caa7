# A site on OmniAuth's OpenID Connect strategy: /login sends a person to the server, /callback says who came back, or what was refused.
require "json"
require "omniauth"
require "omniauth_openid_connect"
require "rack"
require "socket"

back = URI(ENV.fetch("REDIRECT_URI"))
server = URI(ENV.fetch("SERVER"))
client = {
  scheme: server.scheme, host: server.host, port: server.port,
  identifier: ENV.fetch("CLIENT_ID"), secret: ENV.fetch("CLIENT_SECRET"), redirect_uri: back.to_s,
}
OmniAuth.config.allowed_request_methods = [:get]
OmniAuth.config.silence_get_warning = true
OmniAuth.config.logger = Logger.new($stderr, level: Logger::FATAL)
OmniAuth.config.on_failure = lambda do |env|
  [200, {}, [JSON.generate({ refused: env["omniauth.error.type"], reason: env["omniauth.error"].message })]]
end
# It is meant for servers behind TLS; this one is on the same machine.
[WebFinger, OpenIDConnect, SWD].each { |library| library.url_builder = URI::HTTP if library.respond_to?(:url_builder=) }

app = Rack::Builder.app do
  use Rack::Session::Cookie, secret: "of this site, and long enough for a cookie's signature: 0123456789abcdef"
  use OmniAuth::Strategies::OpenIDConnect,
      name: :rollbook, issuer: server.to_s, discovery: true, scope: %i[openid email profile], pkce: true,
      response_type: :code, client_auth_method: ENV.fetch("METHOD"), client_options: client
  run lambda { |env|
    person = env["omniauth.auth"]
    [200, {}, [JSON.generate({ uid: person.uid, info: person.info, claims: person.extra.raw_info })]]
  }
end

browser, cookies = Rack::MockRequest.new(app), {}
listening = TCPServer.new("127.0.0.1", 0)
puts "http://127.0.0.1:#{listening.addr[1]}"
$stdout.flush
loop do
  line = listening.accept
  path = line.gets.split[1].sub(/^\/callback/, "/auth/rollbook/callback").sub(/^\/login/, "/auth/rollbook")
  nil until line.gets.strip.empty?
  asked = { "HTTP_COOKIE" => cookies.map { |name, value| "#{name}=#{value}" }.join("; "), "HTTP_HOST" => back.host }
  answer = browser.get(path, asked)
  answer.original_headers["Set-Cookie"].to_s.lines.each do |set|
    name, value = set.split(";").first.split("=", 2)
    cookies[name] = value
  end
  body = answer.body
  line.write("HTTP/1.1 #{answer.status} Answer\r\nContent-Length: #{body.bytesize}\r\n")
  line.write("Location: #{answer.headers["Location"]}\r\n") if answer.headers["Location"]
  line.write("Connection: close\r\n\r\n#{body}")
  line.close
end
