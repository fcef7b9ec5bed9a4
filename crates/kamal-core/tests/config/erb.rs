//! Templates: what is understood, what goes to Ruby, and what is an error with its place.

use kamal_core::config::{Source, load, load_aliases, render_template};

use crate::outside::{Table, with};

fn world() -> Table {
    let mut world = Table::default();
    for (name, value) in [("X", "ex"), ("HOSTS", "1.1.1.1,1.1.1.2"), ("N", "12abc"), ("EMPTY", ""), ("MULTI", "a\nb")] {
        world.env.insert(name.to_owned(), value.to_owned());
    }
    world.files.insert(".ruby-version".to_owned(), "3.4.1\n".to_owned());
    world.commands.insert("git rev-parse HEAD".to_owned(), "abc123\n".to_owned());
    world.commands.insert("echo ex".to_owned(), "ex\n".to_owned());
    world.commands.insert("docker info --format '{{.Architecture}}'".to_owned(), "x86_64\n".to_owned());
    world
}

fn render(template: &str) -> Result<String, String> {
    render_template(&Source::new("t.erb", template), &world()).map_err(|errors| {
        let error = &errors.0[0];
        format!("{}:{}: {}", error.line, error.column, error.message)
    })
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
    ];
    for (template, expected) in cases {
        assert_eq!(render(template).as_deref(), Ok(expected), "{template}");
    }
}

#[test]
fn what_goes_wrong_is_told_with_its_place() {
    let cases = [
        ("a\n<%= ENV.fetch('NOPE') %>", "2:5: the environment variable NOPE is not set"),
        ("<%= ENV['NOPE'].strip %>", "1:17: cannot call `strip` so on nil"),
        ("<%= File.read('nope') %>", "1:5: cannot read nope: No such file or directory"),
        ("<%= `nope` %>", "1:5: cannot run `nope`: no such command: nope"),
        ("x <%= ENV['X']", "1:3: this ERB tag is never closed with %>"),
        ("<%= ENV['A'] || raise('set A') %>", "1:17: set A"),
        ("<%= SecureRandom.hex %>", "1:5: `SecureRandom.hex` is not understood"),
        ("<%= Time.now %>", "1:5: `Time.now` is not understood"),
        ("<%= ENV['X'].crypt('a') %>", "1:14: the method `crypt` is not understood"),
        ("<%= (1..3) %>", "1:5: this range is not understood"),
        ("<% ('a'..'c').each do |x| %><% end %>", "1:4: a range is made of whole numbers, ten thousand at most"),
        ("<%= ENV['X'] =~ /x/ %>", "1:17: regular expressions are not understood"),
        ("é\n  <%= foo(1) %>", "2:7: undefined method `foo`"),
        ("<% if true %>x", "1:4: this `if` is never ended"),
        ("x<% end %>", "1:5: `end` without a beginning"),
        ("<%= 1 2 %>", "1:7: this is not understood here"),
        ("<%= 1 / 0 %>", "1:5: cannot apply `/` here"),
        ("<%= \"a %>", "1:5: this string never ends"),
    ];
    for (template, expected) in cases {
        assert_eq!(render(template), Err(expected.to_owned()), "{template}");
    }
}

#[test]
fn nothing_is_done_before_all_is_understood() {
    // The command is unknown to the table and would be a fault; the method behind it is found first.
    let found = render("<%= `rm -rf /` %>\n<%= ENV['X'].crypt %>");
    assert_eq!(found, Err("2:14: the method `crypt` is not understood".to_owned()));
}

#[test]
fn ruby_takes_over_where_there_is_one() {
    let ruby =
        |answer: Result<&str, &str>| Table { ruby: Some(answer.map(str::to_owned).map_err(str::to_owned)), ..world() };
    let template = Source::new("t.erb", "<%= Time.now.year %>");
    assert_eq!(render_template(&template, &ruby(Ok("2026"))).unwrap(), "2026");
    let errors = render_template(&template, &ruby(Err("undefined method"))).unwrap_err();
    assert_eq!(errors.0[0].message, "undefined method");
    // What is understood never goes there, and a template's own fault is not repeated by Ruby.
    let own = Source::new("t.erb", "<%= ENV['X'] %>");
    assert_eq!(render_template(&own, &ruby(Ok("ruby"))).unwrap(), "ex");
    let fault = Source::new("t.erb", "<%= ENV.fetch('NOPE') %>");
    assert!(render_template(&fault, &ruby(Ok("ruby"))).is_err());
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
