//! Templates: what is understood, what goes to Ruby, and what is an error with its place.

use kamal_core::config::{RubyError, Source, TemplateWorld, load, load_aliases, render_template};

use crate::template_world::{Table, with};

fn world() -> Table {
    let mut world = Table::default();
    for (name, value) in [("X", "ex"), ("HOSTS", "1.1.1.1,1.1.1.2"), ("N", "12abc"), ("EMPTY", ""), ("MULTI", "a\nb")] {
        world.set(name, value);
    }
    for (path, text) in [
        (".ruby-version", "3.4.1\n"),
        (".env", "A=1\nB=\"two words\"\nX=file\nC=$A-$X\n"),
        ("config/hosts.yml", "web: [a, b]\ndb: {host: c}\n"),
        ("lib/helper.rb", "def shout(text)\n  text.upcase\nend\nLIMIT = 3\n"),
        ("x.txt", "val\n"),
    ] {
        world.files.insert(path.to_owned(), text.to_owned());
    }
    for (command, printed) in
        [("git rev-parse HEAD", "abc123\n"), ("echo ex", "ex\n"), ("which processors", "x86_64\n")]
    {
        world.commands.insert(command.to_owned(), printed.to_owned());
    }
    world
}

fn render_in(world: &Table, template: &str) -> Result<String, String> {
    render_template(&Source::new("t.erb", template), world).map_err(|errors| {
        let error = &errors.0[0];
        format!("{}:{}: {}", error.line, error.column, error.message)
    })
}

fn render(template: &str) -> Result<String, String> {
    render_in(&world(), template)
}

#[test]
fn what_people_write_is_understood() {
    let cases = [
        ("plain", "plain"),
        ("a <%= ENV[\"X\"] %> b", "a ex b"),
        ("<%= ENV['NOPE'] %>|", "|"),
        ("<%= ENV.fetch(\"X\") %>", "ex"),
        ("<%= ENV.fetch(\"NOPE\", \"d\") %>", "d"),
        ("<%= ENV.fetch('NOPE') { 'block' } %>", "block"),
        ("<%= ENV[\"NOPE\"] || \"default\" %>", "default"),
        ("<%= ENV[\"NOPE\"] or \"default\" %>", "default"),
        ("<%= ENV['EMPTY'].presence || 'blank' %>", "blank"),
        ("<%= `git rev-parse HEAD`.strip %>", "abc123"),
        ("<%= %x(git rev-parse HEAD).chomp %>", "abc123"),
        ("<%= `echo #{ENV['X']}`.strip %>", "ex"),
        ("<%= File.read(\".ruby-version\").strip %>", "3.4.1"),
        ("<%= File.read('.ruby-version').split('.').first %>", "3"),
        ("<%= File.exist?('.nope') ? 'yes' : 'no' %>", "no"),
        ("<%= \"v#{ENV[\"X\"]}-#{1 + 2}\" %>", "vex-3"),
        ("<%= ENV['N'].to_i * 2 %>", "24"),
        ("<%= ENV['HOSTS'].split(',') %>", "[\"1.1.1.1\", \"1.1.1.2\"]"),
        ("<%= ENV['HOSTS'].split(',').map { |h| h + '!' }.join(' ') %>", "1.1.1.1! 1.1.1.2!"),
        ("<% ENV['HOSTS'].split(',').each do |host| %>- <%= host %>\n<% end %>", "- 1.1.1.1\n- 1.1.1.2\n"),
        (
            "<% ENV['HOSTS'].split(',').each_with_index do |host, i| -%>\n<%= i %>=<%= host %>\n<% end -%>\n",
            "0=1.1.1.1\n1=1.1.1.2\n",
        ),
        ("<% if ENV['X'] == 'ex' %>yes<% else %>no<% end %>", "yes"),
        ("<% unless ENV['X'] %>a<% else %>b<% end %>", "b"),
        ("<% if ENV['NOPE'] %>a<% elsif ENV['X'] %>b<% else %>c<% end %>", "b"),
        ("<%# a comment %>x", "x"),
        ("<% # another\n%>x", "x"),
        ("<% require \"dotenv\" %>x", "x"),
        ("<% tag = ENV['X'].upcase -%>\n<%= tag %>", "EX"),
        ("<% tag ||= 'd' %><%= tag %>", "d"),
        ("a\n  <%- if true -%>\nb\n  <%- end -%>\nc", "a\nb\nc"),
        ("<%% literal %>", "<% literal %>"),
        ("<%= ENV['NOPE']&.strip %>|", "|"),
        ("<%= 'x' if ENV['X'] %><%= 'y' unless ENV['X'] %>", "x"),
        ("<%= [1, 2, nil].compact.length %>", "2"),
        ("<%= %w[a b].last %>", "b"),
        ("<%= ENV['X'].start_with?('e') && !ENV['X'].empty? %>", "true"),
        ("<%= Kamal::Utils.docker_arch %>", "amd64"),
        ("<%= ENV.key?('X') ? 1 : 2 %>", "1"),
        ("<%= ENV['X']\n  .upcase\n  .reverse %>", "XE"),
        ("<%= (ENV['A'] || 'b').upcase %>", "B"),
        ("<%= 'a\\n' + \"b\\n\" %>", "a\\nb\n"),
        ("<%= 7 / 2 %> <%= -7 / 2 %> <%= 7 % 3 %> <%= 1.5 + 1 %>", "3 -4 1 2.5"),
        ("<%= 'it''s' %>", "its"),
        ("<%= \"100%\" %>", "100%"),
        ("<% 2.times do |i| %><%= i %><% end %>", "01"),
        ("<% (1..3).each do |i| %><%= i %><% end %>", "123"),
        ("<%= (1...3).map { |i| \"web-%02d\" % i }.join(',') %>", "web-01,web-02"),
        ("<%= (2..ENV['N'].to_i - 8).to_a.last %>", "4"),
        ("<%= 'v%s!' % ENV['X'] %>", "vex!"),
        ("<%= ENV['HOSTS'].split(',').map(&:reverse).join('|') %>", "1.1.1.1|2.1.1.1"),
        ("<%= ENV['HOSTS'].tr(',', ' ') %>", "1.1.1.1 1.1.1.2"),
        ("<%= ENV[\"RBENV_VERSION\"] || \"#{RUBY_ENGINE}-#{RUBY_ENGINE_VERSION}\" %>", "ruby-3.4.1"),
        ("<%= 'menu.shop.test'.split('.', 2)[1] %>", "shop.test"),
        (
            "<%= File.expand_path('~/.ssh/deploy') %> <%= File.expand_path('x.txt', __dir__) %>",
            "/home/ann/.ssh/deploy /srv/shop/x.txt",
        ),
        ("<%= File.read(File.expand_path('x.txt', __dir__)).strip %>", "val"),
        ("<%= Pathname.pwd.join('.ruby-version').read.strip.delete_prefix('ruby-') %>", "3.4.1"),
        (
            "<% YAML.load_file(\"#{Dir.pwd}/config/hosts.yml\", aliases: true)['web'].each do |h| %><%= h %><% end %>",
            "ab",
        ),
        ("<%= { 'staging' => 's', 'production' => 'p' }.fetch(ENV.fetch('STAGE', 'staging')) %>", "s"),
        ("<%= 'feature/x'.gsub(/[^a-z0-9]+/, '-') %>", "feature-x"),
        ("<%= (ENV.fetch('NOPE') rescue 'fallback') %>", "fallback"),
        ("<%= format('%s-%05.1f', 'a', 3.14) %>", "a-003.1"),
        ("<%= `git rev-parse HEAD`.strip[0, 3] %>", "abc"),
        ("<%= case ENV['STAGE'] when 'production' then 'x' else 'y' end %>", "y"),
        ("<%= [3, 1].sort.first %>", "1"),
        ("<% t = ENV.fetch('TITLE', '').to_json %><%= t %>", "\"\""),
        ("<%= (begin; `nope`; rescue Errno::ENOENT => e; e.message; end) %>", "No such file or directory - nope"),
        ("<%= `exit 3` %><%= $?.exitstatus %> <%= $?.success? %>", "3 false"),
        ("<% require './lib/helper' %><%= shout('a') * LIMIT %>", "AAA"),
        (
            "<%= Time.now.strftime('%Y%m%d-%H%M%S.%L %-d %b %z') %> <%= Date.today %>",
            "20260304-050607.089 4 Mar +0000 2026-03-04",
        ),
        ("<%= Time.now.utc.iso8601 %> <%= Time.now.to_i %>", "2026-03-04T05:06:07Z 1772600767"),
        (
            "<%= SecureRandom.hex(4) %> <%= Socket.gethostname %> <%= Etc.getlogin %> <%= Etc.nprocessors %>",
            "00010203 builder ann 4",
        ),
        ("<%= URI('https://u:p@h.test:8443/a?b=c').host %>", "h.test"),
        (
            "<%= Dir.glob('config/*.yml').inspect %> <%= Dir.glob('**/*.rb').first %>",
            "[\"config/hosts.yml\"] lib/helper.rb",
        ),
        ("<%= defined?(Rails) ? 1 : 2 %> <%= __FILE__ %>", "2 (erb)"),
        ("<%= 'a' if ENV['X'].in?(%w[ex why]) %><%= ' b  c '.squish %>", "ab c"),
        ("<%= ENV['X'].then { |x| x * 2 } %> <%= ENV['HOSTS'][/\\d+$/] %>", "exex 2"),
        ("<%= \"#{`git rev-parse HEAD`.strip}-#{ENV.fetch(\"X\") { \"no\" }}\" %>", "abc123-ex"),
        ("<%= x = 1; x + 1 %>", "2"),
        ("<%= (Rails.env rescue 'production') %>", "production"),
        ("<%= RUBY_PLATFORM =~ /arm64|aarch64/ ? 'arm64' : 'amd64' %>", "arm64"),
        ("<%= RbConfig::CONFIG['host_cpu'] %>", "aarch64"),
        ("<%= ENV['X'] in String %> <%= {a: [1, 2]} in {a: [Integer, *]} %>", "true true"),
        ("<% {a: 1, b: [2, 3]} => {a:, b: [first, *]} %><%= a + first %>", "3"),
        ("<%= %w[a b].zip(1..).to_h.inspect %> <%= (ActiveModel::Type.new rescue 'no') %>", "{\"a\"=>1, \"b\"=>2} no"),
        ("<%= '%g %g' % [1.5, 1e10] %> <%= 'é'.encode('UTF-8', invalid: :replace).encoding %>", "1.5 1e+10 UTF-8"),
        ("<%\n=begin\nno code\n=end\n%>x", "x"),
        ("<%= {a: 1, b: 2}.reject { |k| k == :a }.inspect %> <%= [0.1, 0.2, 0.3].sum %>", "{:b=>2} 0.6"),
        ("<% _erbout << 'direct' %>", "direct"),
        (
            "<% if /v(?<major>\\d+)(?:\\.(?<minor>\\d+))?/ =~ 'a v7' %><%= major %>|<%= minor.inspect %><% end %>",
            "7|nil",
        ),
        ("<%= (/(?<x>b)/ =~ 'ab').inspect %> <%= (/(?<x>z)/ =~ 'ab').inspect %><%= x.inspect %>", "1 nilnil"),
        (
            "<%= 'né'[/[[:alpha:]]+/] %> <%= 'a\u{a0}b'.split(/[[:space:]]/).inspect %> <%= 'aÉ1'[/[^[:lower:]]+/] %>",
            "né [\"a\", \"b\"] É1",
        ),
        ("<%= 3.instance_of?(Numeric) %> <%= 3.is_a?(Numeric) %> <%= 3.instance_of?(Integer) %>", "false true true"),
        ("<%= %w[a b\\ c [d] e\\] \\\\].inspect %>", "[\"a\", \"b c\", \"[d]\", \"e]\", \"\\\\\"]"),
        ("<%= 'a b'[/a\\ b/x] %> <%= 'a  b'[/a \\s+ b # ( [\n/x] %> <%= 'a #b'[/a[ #]+ b/x] %>", "a b a  b a #b"),
        (
            "<%= 1.eql?(1.0) %> <%= 1 == 1.0 %> <%= [1].eql?([1.0]) %> <%= 'a'.eql?('a') %> <%= 1.equal?(1) %>",
            "false true false true true",
        ),
        (
            "<%= ('a'..'c').include?('bb') %> <%= ('a'..'c').cover?('bb') %> <%= ('a'..'c') === 'b' %>",
            "false true true",
        ),
        ("<%= Open3.capture2('echo', 'ex').first.strip %> <%= IO.popen(%w[echo ex]).read.strip %>", "ex ex"),
    ];
    for (template, expected) in cases {
        assert_eq!(render(template).as_deref(), Ok(expected), "{template}");
    }
}

#[test]
fn what_goes_wrong_is_told_with_its_place() {
    let cases = [
        ("a\n<%= ENV.fetch('NOPE') %>", "2:9: the environment variable NOPE is not set"),
        ("<%= ENV['NOPE'].strip %>", "1:17: cannot call `strip` so on nil"),
        ("<%= File.read('nope') %>", "1:10: cannot read nope: No such file or directory"),
        ("a: <%= `nope -x` %>", "1:8: cannot run `nope -x`: No such file or directory - nope"),
        ("x <%= ENV['X']", "1:3: this ERB tag is never closed with %>"),
        ("<%= ENV['A'] || raise('set A') %>", "1:17: set A"),
        ("<%= Rails.env %>", "1:5: uninitialized constant Rails"),
        ("<%= Sinatra.new %>", "1:5: `Sinatra` is not understood"),
        ("<%= ENV['X'].crypt('a') %>", "1:14: cannot call `crypt` so on an instance of String"),
        ("<%= [1, 'a'].sort %>", "1:14: comparison of Integer with String failed"),
        ("<%= (1..200_000).to_a %>", "1:18: a range of more than a hundred thousand numbers"),
        ("<%= 'a' + 1 %>", "1:5: no implicit conversion of Integer into String"),
        ("<%= 'a' =~ /(/ %>", "1:12: this regular expression is not understood: "),
        ("<%= Integer('x') %>", "1:5: invalid value for Integer(): \"x\""),
        ("<%= {a: 1}.fetch(:b) %>", "1:12: key not found: :b"),
        ("<%= 1.step(2, 0.5).to_a %>", "1:7: cannot call `step` so on an instance of Integer"),
        ("<%= 2.downto(0.5).to_a %>", "1:7: cannot call `downto` so on an instance of Integer"),
        ("<%= (1..2).step(0.5).to_a %>", "1:12: cannot call `step` so on an instance of Range"),
        ("<%= 'ab'.rindex(/b/) %>", "1:10: cannot call `rindex` so on an instance of String"),
        ("<%= 'a'.equal?('a') %>", "1:9: cannot call `equal?` so on an instance of String"),
        ("<%= %W[a\\ b] %>", "1:7: an escaped blank is not understood here"),
        ("<% class Foo; end %>", "1:4: classes and modules are not understood"),
        ("<% abort 'no' %>", "1:4: no"),
        ("é\n  <%= foo(1) %>", "2:7: undefined method `foo`"),
        ("<% if true %>x", "1:4: this `if` is never ended"),
        ("x<% end %>", "1:5: `end` without a beginning"),
        ("<%= 1 2 %>", "1:7: this is not understood here"),
        ("<%= 1 / 0 %>", "1:5: divided by 0"),
        ("<%= \"a %>", "1:5: this string never ends"),
    ];
    for (template, expected) in cases {
        let told = render(template).unwrap_err();
        // A message that ends so goes on in the words of a library.
        assert!(told == expected || expected.ends_with(": ") && told.starts_with(expected), "{template}: {told}");
    }
}

#[test]
fn what_stands_above_counts_first() {
    let template = "<% host = ENV.fetch(\"REVIEW_HOST\") %>\n<%= Rails.env.nonsense %>";
    assert_eq!(render(template), Err("1:15: the environment variable REVIEW_HOST is not set".to_owned()));
    // What is never reached may be anything.
    assert_eq!(render("<% if ENV['NOPE'] %><%= Rails.env.nonsense %><% end %>x").as_deref(), Ok("x"));
    let ruby = RubyError::new("key not found: \"REVIEW_HOST\" (KeyError)", Some(1));
    let with_ruby = Table { ruby: Some(Err(ruby)), ..world() };
    assert_eq!(render_in(&with_ruby, template), Err("1:1: key not found: \"REVIEW_HOST\" (KeyError)".to_owned()));
}

#[test]
fn ruby_takes_over_where_there_is_one() {
    let ruby = |answer: Result<&str, &str>| {
        let answer = answer.map(str::to_owned).map_err(|message| RubyError::new(message, Some(2)));
        Table { ruby: Some(answer), ..world() }
    };
    // Syntax, methods and constants nothing here knows; methods that other values have.
    for template in [
        "<% class A; end %>",
        "<%= 'a'.unpack1('H*') %>",
        "<%= Rails.root %>",
        "<%= 5.upcase %>",
        "<%= RUBY_VERSION %>",
    ] {
        assert_eq!(render_in(&ruby(Ok("ruby")), template).as_deref(), Ok("ruby"), "{template}");
    }
    let failed = render_in(&ruby(Err("undefined method")), "a\n  <%= Rails.root %>\n");
    assert_eq!(failed, Err("2:3: undefined method".to_owned()));
    // What is understood never goes there, and a template's own fault is not repeated by Ruby.
    assert_eq!(render_in(&ruby(Ok("ruby")), "<%= ENV['X'] %>").as_deref(), Ok("ex"));
    for fault in ["<%= ENV.fetch('NOPE') %>", "<% raise 'no' %>", "<%= nil.upcase %>"] {
        assert!(render_in(&ruby(Ok("ruby")), fault).is_err(), "{fault}");
    }
}

#[test]
fn the_environment_can_be_changed() {
    let world = world();
    let text = render_in(&world, "<% ENV['NEW'] = 'v'; ENV.delete('EMPTY') %><%= ENV['NEW'] %>");
    assert_eq!(text.as_deref(), Ok("v"));
    assert_eq!(world.env("NEW").as_deref(), Some("v"));
    assert_eq!(world.env("EMPTY"), None);
    assert_eq!(render("<% ENV['A=B'] = 'x' %>"), Err("1:4: Invalid argument - setenv(A=B)".to_owned()));
    assert_eq!(render("<% ENV['A'] = 5 %>"), Err("1:4: no implicit conversion of Integer into String".to_owned()));
}

#[test]
fn dotenv_files_are_loaded() {
    let loaded = |template: &str| {
        let world = world();
        render_in(&world, template).unwrap();
        ["A", "B", "C", "X"].map(|name| world.env(name).unwrap_or_default())
    };
    let kept = ["1", "two words", "1-ex", "ex"].map(str::to_owned);
    for template in [
        "<% require 'dotenv'; Dotenv.load %>",
        "<% require \"dotenv\"; Dotenv.load(\".env\") if File.exist?(\".env\") %>",
        "# <% require 'dotenv' %>\n# <% Dotenv.load('.nope', '.env') %>",
        "<% require 'dotenv/load' %>",
        "<% Dotenv.load!('.env', overwrite: false) %>",
        "<% Dotenv.load(File.expand_path('.env', __dir__)) %>",
    ] {
        assert_eq!(loaded(template), kept, "{template}");
    }
    let over = ["1", "two words", "1-file", "file"].map(str::to_owned);
    for template in ["<% Dotenv.overload %>", "<% Dotenv.load('.env', overwrite: true) %>"] {
        assert_eq!(loaded(template), over, "{template}");
    }
    assert_eq!(loaded("<% Dotenv.parse('.env') %>"), ["", "", "", "ex"].map(str::to_owned));
    let missing = render("<% Dotenv.load!('.nope') %>").unwrap_err();
    assert_eq!(missing, "1:11: cannot read /srv/shop/.nope: No such file or directory");
}

#[test]
fn what_the_template_says_is_for_the_user() {
    let world = world();
    assert_eq!(render_in(&world, "a<% puts 'one', [2] %><% warn 'three' %>b").as_deref(), Ok("ab"));
    assert_eq!(*world.said.borrow(), "one\n2\nthree\n");
}

#[test]
fn runaway_templates_end() {
    for (template, why) in [
        ("<% loop {} %>", "this template runs too long"),
        ("<% while true do end %>", "this template runs too long"),
        ("<% def f(n) = f(n + 1); f(0) %>", "this template calls itself too deep"),
        ("<% f = ->(n) { f.call(n) }; f.call(1) %>", "this template calls itself too deep"),
        ("<% a = 'x' * 1000; 50.times { a = a + a } %>", "this template makes too large a value"),
        ("<% a = [1]; 50.times { a = a + a } %>", "this template"),
        ("<% a = []; a << a %><%= a.inspect %>", "this template makes too large a value"),
        ("<% a = {}; a[:a] = a %><%= a == {a: 1} %>", "this template makes too large a value"),
        ("<% a = [1]; 60.times { a = [a, a] } %><%= a.flatten %>", "this template makes too large a value"),
        ("<% a = []; 100_000.times { a = [a] } %>", "this template runs too long"),
        ("<% f = nil; 30_000.times { g = f; f = -> { g } } %>", ""),
        ("<%= 'a' * 9_000_000 %>", "this template makes too large a value"),
        ("<%= ('a' * 30) + 'b' =~ /(a+)+c/ %>", ""),
        ("<% begin; raise 'x'; rescue; retry; end %>", ""),
        ("<% catch { |tag| throw :other } %>", "uncaught throw :other"),
        ("<%= format('%99999999d', 1) %>", "this template makes too large a value"),
        ("<%= 'x'.ljust(99_999_999) %>", "this template makes too large a value"),
        ("<%= Array.new(99_999_999, 1) %>", "this template runs too long"),
    ] {
        match render(template) {
            Ok(_) => assert!(why.is_empty(), "{template}"),
            Err(told) => assert!(told.contains(why), "{template}: {told}"),
        }
    }
}

/// Every folder holds a deploy.yml, what Ruby makes of it, and what it asks for.
#[test]
#[expect(clippy::disallowed_methods, reason = "the cases are files")]
fn whole_files_render_as_in_ruby_without_one() {
    let templates = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/templates");
    let mut seen = 0;
    for folder in std::fs::read_dir(templates).unwrap() {
        let folder = folder.unwrap().path();
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        let mut world = Table::default();
        for line in read("environment").lines() {
            let (name, value) = line.split_once('=').unwrap();
            world.set(name, value);
        }
        for line in read("commands").lines() {
            let (command, printed) = line.split_once('\t').unwrap();
            world.commands.insert(command.to_owned(), format!("{printed}\n"));
        }
        files(&folder.join("project"), "", &mut world);
        let text = render_in(&world, &read("deploy.yml"));
        assert_eq!(text.as_deref(), Ok(&*read("expected.yml")), "{}", folder.display());
        seen += 1;
    }
    assert!(seen >= 20, "only {seen} templates");
}

#[expect(clippy::disallowed_methods, reason = "the cases are files")]
fn files(folder: &std::path::Path, below: &str, world: &mut Table) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        let name = format!("{below}{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            files(&path, &format!("{name}/"), world);
        } else {
            world.files.insert(name, std::fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn places_survive_the_template() {
    let text = with(
        "env:\n  clear:\n    A: <%= ENV['MULTI'].split.join %>\n<% if true -%>\n    B: <%= 'x' %> # <%= 1 %>\n<% end -%>\n    C: [<%= ENV['X'] %>, bad]\n    D: <%= '[1]' %>",
    );
    let errors = load(&Source::new("config/deploy.yml", text.clone()), None, &world()).unwrap_err();
    let found: Vec<(&str, usize, usize)> =
        errors.0.iter().map(|error| (error.message.as_str(), error.line, error.column)).collect();
    let line = |start: &str| text.lines().position(|line| line.starts_with(start)).unwrap() + 1;
    assert_eq!(
        found,
        [
            ("env/clear/C: should be a string", line("    C:"), 8),
            ("env/clear/D: should be a string", line("    D:"), 8)
        ]
    );
    assert_eq!(errors.0[1].width, "<%= '[1]' %>".len());
}

#[test]
fn aliases_load_without_the_rest() {
    let source = Source::new("config/deploy.yml", "nonsense: 1\naliases:\n  console: app exec -i <%= ENV['X'] %>\n");
    let aliases = load_aliases(&source, None, &world()).unwrap();
    assert_eq!(aliases["console"], "app exec -i ex");
}
