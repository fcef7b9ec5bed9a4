role :app, %w{deployer@10.1.0.11 deployer@10.1.0.12}
role :web, %w{deployer@10.1.0.11}
role :db,  %w{deployer@10.1.0.11}
role :resque, "deployer@10.1.0.20"

set :rails_env, :production
set :nginx_domains, "billing.example.com www.billing.example.com"
set :ssh_options, { port: 2222 }
