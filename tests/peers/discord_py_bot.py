"""A discord.py bot at the rehearsal: nothing of the library is changed but its two addresses.

    pip install discord.py
    python tests/peers/discord_py_bot.py http://127.0.0.1:PORT

It logs in, registers /greet, answers it with a button, gets the click, and edits. The people are played by the script
itself, through the control API. It ends with 0 when all of it happened.
"""

import asyncio
import sys

import aiohttp
import discord
from discord import app_commands
from yarl import URL

BASE = sys.argv[1].rstrip("/")
discord.http.Route.BASE = f"{BASE}/api/v10"
discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = URL(BASE.replace("http", "ws", 1))

GUILD = discord.Object(100_000_000_000_000_001)
INCIDENTS = 200_000_000_000_000_001


class Greeting(discord.ui.View):
    @discord.ui.button(label="Wave", style=discord.ButtonStyle.primary)
    async def wave(self, interaction: discord.Interaction, _: discord.ui.Button):
        await interaction.response.edit_message(content=f"{interaction.user.display_name} waved", view=None)


class Question(discord.ui.Modal, title="A question"):
    reason = discord.ui.TextInput(label="Why?")

    async def on_submit(self, interaction: discord.Interaction):
        await interaction.response.send_message(f"Because {self.reason.value}", ephemeral=True)


class Bot(discord.Client):
    def __init__(self):
        super().__init__(intents=discord.Intents.default())
        self.tree = app_commands.CommandTree(self)

    async def setup_hook(self):
        @self.tree.command(description="Greet somebody", guild=GUILD)
        @app_commands.describe(name="Whom")
        async def greet(interaction: discord.Interaction, name: str):
            await interaction.response.send_message(f"Hello {name}", view=Greeting())

        @self.tree.command(description="Ask", guild=GUILD)
        async def ask(interaction: discord.Interaction):
            await interaction.response.send_modal(Question())

        @self.tree.command(description="Take long", guild=GUILD)
        async def slow(interaction: discord.Interaction):
            await interaction.response.defer(ephemeral=True)
            await interaction.followup.send("Done")
            await interaction.edit_original_response(content="Done and edited")

        await self.tree.sync(guild=GUILD)


async def play(bot: Bot):
    await bot.wait_until_ready()
    async with aiohttp.ClientSession() as session:

        async def post(call, **body):
            async with session.post(f"{BASE}/rehearsal/api/{call}", json=body) as response:
                answer = await response.json()
                assert response.status == 200, answer
                return answer

        place = {"person": "Dana", "channel": "#incidents"}
        answer = await post("command", **place, command="greet", options={"name": "Omar"})
        assert answer["response"]["content"] == "Hello Omar", answer
        answer = await post("click", person="Omar", message=answer["response"]["id"], label="Wave")
        assert answer["response"]["content"] == "Omar waved", answer

        answer = await post("command", **place, command="ask")
        label = answer["modal"]["components"][0]
        answer = await post("submit", person="Dana", modal=answer["modal"]["id"], values={"Why?": "of the rain"})
        assert answer["response"]["content"] == "Because of the rain", (label, answer)

        answer = await post("command", **place, command="slow")
        assert answer["acknowledged"], answer

        channel = bot.get_channel(INCIDENTS)
        message = await channel.send("first", embed=discord.Embed(title="Card"), file=discord.File(__file__))
        await message.edit(content="second")
        thread = await message.create_thread(name="Details")
        await thread.send("in the thread")
        assert (await channel.fetch_message(message.id)).content == "second"
        async with session.get(f"{BASE}/rehearsal/api/log") as response:
            for entry in await response.json():
                assert entry["status"] < 400 and "unknown" not in entry, entry
    await bot.close()


async def main():
    discord.utils.setup_logging()
    bot = Bot()
    async with bot:
        await asyncio.wait_for(asyncio.gather(bot.start("rehearsal-token"), play(bot)), timeout=60)
    print("discord.py is content")


asyncio.run(main())
