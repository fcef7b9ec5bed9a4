server ENV.fetch('STAGING_HOST', 'staging.example.com'), user: 'ubuntu', roles: %w{app web db}
set :rails_env, 'staging'
set :branch, 'develop'
