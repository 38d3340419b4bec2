
# What the ticket is about: the project, the delivered data, the engines' settings and contents.
RUN mkdir /home/worker && chown 10002:10002 /home/worker /work && chown 10001:10001 /driver /sockets \
    && sed -i 's|::/work:/bin/bash|::/home/worker:/bin/bash|' /etc/passwd
COPY profile.sh /etc/profile.d/project.sh
COPY start /opt/start
RUN chmod 0700 /opt/start
