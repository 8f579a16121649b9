-- expect: nothing
alter type mood add value if not exists 'calm';
