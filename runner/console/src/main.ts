import { createPinia } from 'pinia';
import { createApp } from 'vue';
import App from './App.vue';
import { router } from './router';
import 'element-plus/theme-chalk/base.css';
import 'element-plus/theme-chalk/dark/css-vars.css';
import './styles/main.css';
import './styles/element.css';
import { startTheme } from './theme';

startTheme();
createApp(App).use(createPinia()).use(router).mount('#app');
