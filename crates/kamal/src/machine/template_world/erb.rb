# Renders the template on standard input as Kamal's process would, with what that has loaded as far as this ruby has
# it, and prints what came of it as JSON. Written for any Ruby from 2.6 on, which is what macOS brings.

-> {
  %w[
    erb json yaml set date time tmpdir tempfile fileutils pathname shellwords securerandom open3 digest base64 socket
    etc uri ostruct delegate forwardable logger openssl active_support active_support/core_ext dotenv
  ].each do |library|
    require library
  rescue LoadError
    # Not every ruby has every library.
  end
}.call

unless nil.respond_to?(:blank?)
  class Object
    def blank?; respond_to?(:empty?) ? !!empty? : !self; end
    def present?; !blank?; end
    def presence; (self if present?); end
    def in?(others); others.include?(self); end
    def presence_in(others); (self if in?(others)); end
    def try(name = nil, *args, &block); name ? (public_send(name, *args, &block) if respond_to?(name)) : yield(self); end
    def deep_dup; dup; end
  end

  class NilClass
    def try(*); nil; end
  end

  class Numeric
    def blank?; false; end
  end

  class String
    def blank?; match?(/\A[[:space:]]*\z/); end
    def squish; gsub(/[[:space:]]+/, " ").strip; end
    def remove(*patterns); patterns.inject(self) { |text, pattern| text.gsub(pattern, "") }; end
    def parameterize(separator: "-"); gsub(/[^a-z0-9\-_]+/i, separator).gsub(/\A#{separator}+|#{separator}+\z/, "").downcase; end
    def dasherize; tr("_", "-"); end
    def underscore; gsub("::", "/").gsub(/([A-Z]+)(?=[A-Z][a-z])|([a-z\d])(?=[A-Z])/) { "#{$1 || $2}_" }.tr("-", "_").downcase; end
    def camelize; split("_").map { |word| word[0].to_s.upcase + word[1..].to_s }.join; end
    def titleize; underscore.tr("_", " ").gsub(/\b[a-z]/, &:upcase); end
    def humanize; tr("_", " ").capitalize; end
    def exclude?(part); !include?(part); end
    def from(place); self[place..]; end
    def to(place); self[0..place]; end
    alias starts_with? start_with?
    alias ends_with? end_with?
  end

  class Array
    def self.wrap(value); value.nil? ? [] : value.respond_to?(:to_ary) ? value.to_ary : [value]; end
    def second; self[1]; end
    def third; self[2]; end
    def to_sentence; length < 3 ? join(" and ") : "#{self[0..-2].join(", ")}, and #{last}"; end
    def without(*others); self - others.flatten; end
    alias excluding without
    def including(*others); self + others.flatten; end
    def in_groups_of(size, fill = nil); each_slice(size).map { |group| fill == false ? group : group + [fill] * (size - group.size) }; end
  end

  module Enumerable
    def compact_blank; reject(&:blank?); end
    def index_by; to_h { |item| [yield(item), item] }; end
    def index_with(value = nil); to_h { |item| [item, block_given? ? yield(item) : value] }; end
    def many?; (block_given? ? count { |item| yield(item) } : count) > 1; end
    def pluck(key); map { |item| item[key] }; end
    def exclude?(item); !include?(item); end
  end

  class Hash
    def symbolize_keys; transform_keys { |key| key.to_sym rescue key }; end
    def stringify_keys; transform_keys(&:to_s); end
    def deep_stringify_keys; to_h { |key, value| [key.to_s, value.is_a?(Hash) ? value.deep_stringify_keys : value] }; end
    def deep_symbolize_keys; to_h { |key, value| [key.to_sym, value.is_a?(Hash) ? value.deep_symbolize_keys : value] }; end
    def deep_merge(other); merge(other) { |_, a, b| a.is_a?(Hash) && b.is_a?(Hash) ? a.deep_merge(b) : b }; end
    def reverse_merge(other); other.merge(self); end
    def compact_blank; reject { |_, value| value.blank? }; end
  end

  class Integer
    def seconds; self; end
    def minutes; self * 60; end
    def hours; self * 3600; end
    def days; self * 86_400; end
    def kilobytes; self * 1024; end
    def megabytes; self * 1024**2; end
    def gigabytes; self * 1024**3; end
    alias second seconds
    alias minute minutes
    alias hour hours
    alias day days
    alias megabyte megabytes
    alias gigabyte gigabytes
  end
end

unless defined?(Dotenv)
  module Dotenv
    LINE = /^\s*(?:export\s+)?([\w.]+)(?:\s*=\s*?|:\s+?)(\s*'(?:\\'|[^'])*'|\s*"(?:\\"|[^"])*"|[^#\r\n]+)?\s*(?:#.*)?$/

    module_function

    def load(*files, overwrite: false, ignore: true)
      parse(*files, overwrite: overwrite, ignore: ignore) do |name, value|
        ENV[name] = value if overwrite || !ENV.key?(name)
      end
    end

    def load!(*files, **options); load(*files, ignore: false, **options); end
    def overload(*files, **options); load(*files, overwrite: true, **options); end

    def parse(*files, overwrite: false, ignore: true)
      files = [".env"] if files.empty?
      files = files.reverse if overwrite
      files.each_with_object({}) do |file, all|
        next if ignore && !File.file?(File.expand_path(file))

        found = {}
        File.read(File.expand_path(file)).scan(LINE) do |name, value|
          value = value.to_s.strip
          quote = value[/\A(['"]).*\1\z/m, 1]
          value = value[1..-2] if quote
          value = value.gsub("\\n", "\n").gsub("\\r", "\r") if quote == "\"" && ENV["DOTENV_LINEBREAK_MODE"] == "legacy"
          value = value.gsub(/(\\)?\$\{?(\w+)\}?/) { $1 ? $&[1..] : found[$2] || ENV[$2].to_s } unless quote == "'"
          found[name] = !overwrite && ENV.key?(name) ? ENV[name] : value
          yield name, found[name] if block_given?
        end
        all.merge!(found)
      end
    end
  end
  $LOADED_FEATURES << "dotenv.rb"
end

module Kamal
  VERSION = "2.12.0" unless defined?(VERSION)
  class ConfigurationError < StandardError; end unless defined?(ConfigurationError)

  module Utils
    def self.docker_arch
      arch = `docker info --format '{{.Architecture}}'`.strip
      case arch
      when /aarch64/ then "arm64"
      when /x86_64/ then "amd64"
      else arch
      end
    end
  end
end

-> {
  template = $stdin.read.force_encoding("UTF-8")
  # What the template prints is for the user, not for the file.
  answer = $stdout.dup
  $stdout.reopen($stderr)
  before = ENV.to_h
  plain = ->(text) { text.to_s.dup.force_encoding("UTF-8").scrub }
  said =
    begin
      text = ERB.new(template, trim_mode: "-").result
      changed = ENV.to_h.reject { |name, value| before[name] == value }
      gone = (before.keys - ENV.keys).to_h { |name| [name, nil] }
      { text: plain[text], environment: changed.merge(gone).to_h { |name, value| [plain[name], value && plain[value]] } }
    rescue Exception => error
      place = [*error.backtrace, error.message].find { |line| line.include?("(erb):") }
      { error: plain["#{error.message} (#{error.class})"], line: place && place[/\(erb\):(\d+)/, 1]&.to_i }
    end
  answer.print(JSON.generate(said))
}.call
